/* A child that waits in vfork for a process that is not its child but its sister (CLONE_PARENT): that one can
 * stand still before it, and while it does, the child comes to no stop. */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static int orders[2], answers[2];

static _Noreturn void sister(void) {
  char byte;
  alarm(300); /* should the others be gone without a word */
  CHECK(write(answers[1], "r", 1) == 1 && read(orders[0], &byte, 1) == 1);
  _exit(4);
}

int main(void) {
  char byte;
  int status;
  CHECK(pipe(orders) == 0 && pipe(answers) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    long pid = syscall(SYS_clone, CLONE_VFORK | CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
      sister();
    _exit(pid > 0 ? 3 : 1);
  }
  CHECK(read(answers[0], &byte, 1) == 1);
  ready();
  wait_for_go();
  CHECK(write(orders[1], "g", 1) == 1);
  int sum = 0;
  for (int i = 0; i < 2; i++)
    sum += wait(&status) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 100;
  CHECK(sum == 7);
  success();
}
