/* thread_apart KIND: a second thread that has something for itself, or with "child-" in front a child that
 * has something in common with its parent. Where that is not allowed, it ends with 77. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static const char *kind;
static int told[2], asked[2];

static int be_apart(void) {
  struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
  struct sock_fprog filter = {.len = 1, .filter = &allow};
  if (strcmp(kind, "descriptors") == 0)
    return unshare(CLONE_FILES);
  if (strcmp(kind, "directory") == 0)
    return unshare(CLONE_FS);
  if (strcmp(kind, "network") == 0)
    return unshare(CLONE_NEWNET);
  if (strcmp(kind, "user") == 0)
    return (int)syscall(SYS_setresuid, -1, 65534, -1);
  if (strcmp(kind, "capabilities") == 0)
    return prctl(PR_CAPBSET_DROP, 0, 0, 0, 0);
  int result = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return strcmp(kind, "filter") == 0 ? (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter)
                                     : result;
}

/* What it is asked for, it does without memory of its own: a child may have its parent's thread pointer. */
static int answer(void *nothing) {
  char word;
  (void)nothing;
  while (read(asked[0], &word, 1) == 1 && write(told[1], &word, 1) == 1)
    ;
  return 0;
}

static void *wait_apart(void *nothing) {
  if (be_apart() < 0)
    exit(77);
  CHECK(write(told[1], "t", 1) == 1);
  answer(nothing);
  return NULL;
}

static pid_t start_child(void) {
  static char stack[64 << 10];
  bool descriptors = strcmp(kind, "child-descriptors") == 0;
  pid_t child = clone(answer, stack + sizeof stack, (descriptors ? CLONE_FILES : CLONE_FS) | SIGCHLD, NULL);
  CHECK(child > 0 && write(told[1], "t", 1) == 1);
  return child;
}

int main(int argc, char **argv) {
  pthread_t thread;
  char word;
  CHECK(argc == 2 && pipe(told) == 0 && pipe(asked) == 0);
  kind = argv[1];
  pid_t child = strncmp(kind, "child-", 6) == 0 ? start_child() : 0;
  if (!child)
    CHECK(pthread_create(&thread, NULL, wait_apart, NULL) == 0);
  CHECK(read(told[0], &word, 1) == 1);

  ready();
  wait_for_go();

  CHECK(write(asked[1], "a", 1) == 1 && read(told[0], &word, 1) == 1 && word == 'a');
  if (child)
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
  success();
}
