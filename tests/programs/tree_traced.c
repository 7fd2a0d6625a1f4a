/* A child that its parent traces: both cannot stand still, since it takes the parent to let the child go on
 * with a signal. */
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "check.h"

int main(void) {
  int orders[2], status;
  char byte;
  CHECK(pipe(orders) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(close(orders[1]) == 0 && read(orders[0], &byte, 1) == 1);
    _exit(5);
  }
  CHECK(ptrace(PTRACE_SEIZE, child, NULL, NULL) == 0);
  ready();
  wait_for_go();
  CHECK(ptrace(PTRACE_INTERRUPT, child, NULL, NULL) == 0);
  CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
  CHECK(ptrace(PTRACE_DETACH, child, NULL, NULL) == 0);
  CHECK(write(orders[1], "g", 1) == 1);
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
  success();
}
