/* Root and a worker that is another user's: what the worker has from before it became that, what it has made
 * since, and what both share. With "a while" both have only given root's rights up for a while. */
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

enum { NOBODY = 65534, SIZE = 256 << 10 };

static int down[2], up[2], memory;
static bool for_a_while;
static volatile int *shared;
static unsigned long *inherited;

static void fill(unsigned long *words, unsigned long seed) {
  for (size_t i = 0; i < SIZE / sizeof *words; i++)
    words[i] = next_number(&seed);
}

static void check_filled(const unsigned long *words, unsigned long seed) {
  for (size_t i = 0; i < SIZE / sizeof *words; i++)
    CHECK(words[i] == next_number(&seed));
}

static void become_nobody(void) {
  if (for_a_while) {
    CHECK(setegid(NOBODY) == 0 && seteuid(NOBODY) == 0);
    return;
  }
  CHECK(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0);
  CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* Nobody's rights, and what root can take back is there. */
static void check_for_a_while(int dumpable) {
  CHECK(getuid() == 0 && geteuid() == NOBODY && getegid() == NOBODY && prctl(PR_GET_DUMPABLE) == dumpable);
  CHECK(open("/proc/1/mem", O_RDONLY) < 0 && errno == EACCES);
  CHECK(seteuid(0) == 0 && setegid(0) == 0 && getgid() == 0);
}

static void check_nobody(int dumpable) {
  if (for_a_while) {
    check_for_a_while(dumpable);
    return;
  }
  uid_t uid[3];
  gid_t gid[3];
  CHECK(getresuid(&uid[0], &uid[1], &uid[2]) == 0 && getresgid(&gid[0], &gid[1], &gid[2]) == 0);
  for (int i = 0; i < 3; i++)
    CHECK(uid[i] == NOBODY && gid[i] == NOBODY);
  CHECK(getgroups(0, NULL) == 0 && setuid(0) < 0 && errno == EPERM);
  CHECK(prctl(PR_GET_DUMPABLE) == dumpable);
}

static _Noreturn void work(void) {
  char byte;
  alarm(300); /* should the parent be gone without a word */
  become_nobody();
  int dumpable = prctl(PR_GET_DUMPABLE);
  unsigned long *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memory = memfd_create("own", 0);
  CHECK(own != MAP_FAILED && memory >= 0 && pwrite(memory, "kept", 4, SIZE) == 4);
  fill(own, 2);
  *shared = 1;
  CHECK(write(up[1], "r", 1) == 1 && read(down[0], &byte, 1) == 1);
  char text[4];
  check_nobody(dumpable);
  check_filled(inherited, 1);
  check_filled(own, 2);
  CHECK(pread(memory, text, sizeof text, SIZE) == 4 && memcmp(text, "kept", 4) == 0);
  CHECK(*shared == 2);
  *shared = 3;
  _exit(4);
}

int main(int argc, char **argv) {
  char byte;
  int status;
  for_a_while = argc > 1 && strcmp(argv[1], "a while") == 0;
  inherited = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(inherited != MAP_FAILED && shared != MAP_FAILED && pipe(down) == 0 && pipe(up) == 0);
  fill(inherited, 1);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0)
    work();
  CHECK(read(up[0], &byte, 1) == 1);
  if (for_a_while)
    become_nobody();
  int dumpable = prctl(PR_GET_DUMPABLE);
  ready();
  wait_for_go();
  if (for_a_while)
    check_for_a_while(dumpable);
  CHECK(*shared == 1 && geteuid() == 0);
  *shared = 2;
  check_filled(inherited, 1);
  CHECK(write(down[1], "g", 1) == 1 && waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4 && *shared == 3);
  success();
}
