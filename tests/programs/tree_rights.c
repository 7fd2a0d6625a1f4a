/* Each process of a tree has rights of its own: whether it may be dumped, and as root groups, ids,
 * capabilities of every kind and securebits; and nobody has another's. */
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { PROCESSES = 4, GROUPS = 8 };

struct rights {
  int dumpable, securebits, groups;
  uid_t uid[3];
  gid_t gid[3], group[GROUPS];
  struct __user_cap_data_struct caps[2];
  unsigned long bounding, ambient;
};

static struct rights rights_now(void) {
  struct rights now;
  memset(&now, 0, sizeof now);
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  now.dumpable = prctl(PR_GET_DUMPABLE);
  now.securebits = prctl(PR_GET_SECUREBITS);
  now.groups = getgroups(GROUPS, now.group);
  CHECK(now.groups >= 0 && syscall(SYS_capget, &head, now.caps) == 0);
  CHECK(getresuid(&now.uid[0], &now.uid[1], &now.uid[2]) == 0);
  CHECK(getresgid(&now.gid[0], &now.gid[1], &now.gid[2]) == 0);
  for (int cap = 0; cap < 64; cap++) {
    now.bounding |= (unsigned long)(prctl(PR_CAPBSET_READ, cap) == 1) << cap;
    now.ambient |= (unsigned long)(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1) << cap;
  }
  return now;
}

static void check_same(const struct rights *a, const struct rights *b) {
  CHECK(a->dumpable == b->dumpable && a->securebits == b->securebits);
  CHECK(a->groups == b->groups && memcmp(a->group, b->group, sizeof a->group) == 0);
  CHECK(memcmp(a->uid, b->uid, sizeof a->uid) == 0 && memcmp(a->gid, b->gid, sizeof a->gid) == 0);
  CHECK(memcmp(a->caps, b->caps, sizeof a->caps) == 0);
  /* Restarted by an ordinary user, the bounds are those of a user namespace, in which nobody has any rights.
   */
  CHECK(a->ambient == b->ambient && (geteuid() || a->bounding == b->bounding));
}

/* The first has all. Every other has groups and bounds of its own; the third has few capabilities, and the
 * last has none in effect. */
static void set_as_root(int number) {
  gid_t groups[] = {(gid_t)(500 + number), (gid_t)(600 + number), (gid_t)(700 + number)};
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct caps[2];
  CHECK(setgroups((size_t)number, groups) == 0);
  CHECK(setresgid(0, (gid_t)number, (gid_t)(10 + number)) == 0);
  CHECK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME + number) == 0);
  CHECK(number != 2 || prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP) == 0);
  CHECK(syscall(SYS_capget, &head, caps) == 0);
  if (number == 2)
    caps[0].permitted = 1u << CAP_NET_BIND_SERVICE | 1u << CAP_CHOWN | 1u << CAP_KILL;
  caps[0].effective = number == 2 ? 1u << CAP_CHOWN : number == 3 ? 0 : caps[0].effective;
  caps[1].effective = number > 1 ? 0 : caps[1].effective;
  caps[1].permitted = number == 2 ? 0 : caps[1].permitted;
  caps[0].inheritable = number > 1 ? 1u << CAP_NET_BIND_SERVICE | 1u << CAP_CHOWN : 0;
  CHECK(syscall(SYS_capset, &head, caps) == 0);
  CHECK(number != 2 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0);
}

static _Noreturn void child(int number, int up, int go) {
  char byte;
  alarm(300); /* should the parent be gone without a word */
  if (geteuid() == 0)
    set_as_root(number);
  CHECK(prctl(PR_SET_DUMPABLE, number % 2) == 0);
  struct rights before = rights_now();
  CHECK(write(up, "s", 1) == 1 && read(go, &byte, 1) == 0);
  struct rights after = rights_now();
  check_same(&before, &after);
  CHECK(after.dumpable == number % 2);
  _exit(0);
}

int main(void) {
  int up[2], go[2], status;
  char byte;
  pid_t pids[PROCESSES];
  CHECK(pipe(up) == 0 && pipe(go) == 0);
  struct rights before = rights_now();
  for (int i = 1; i < PROCESSES; i++) {
    pids[i] = fork();
    CHECK(pids[i] >= 0);
    if (pids[i] == 0) {
      CHECK(close(go[1]) == 0);
      child(i, up[1], go[0]);
    }
    CHECK(read(up[0], &byte, 1) == 1);
  }
  CHECK(close(go[0]) == 0);

  ready();
  wait_for_go();

  struct rights after = rights_now();
  check_same(&before, &after);
  CHECK(close(go[1]) == 0);
  for (int i = 1; i < PROCESSES; i++)
    CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
  success();
}
