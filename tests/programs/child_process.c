/* A process with a child. */
#include <signal.h>
#include <sys/wait.h>

#include "check.h"

int main(void) {
  int link[2];
  CHECK(pipe(link) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char byte;
    close(link[1]);
    _exit(read(link[0], &byte, 1) == 1 ? 0 : 1);
  }
  CHECK(close(link[0]) == 0);
  ready();
  wait_for_go();
  CHECK(write(link[1], "x", 1) == 1);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  success();
}
