/* Between vfork and exec a child runs in its parent's memory: an image of it would be one of the parent,
 * under another process id. */
#include <signal.h>
#include <sys/wait.h>

#include "check.h"

int main(void) {
  int status;
  pid_t child = vfork();
  if (child == 0) {
    kill(getpid(), SIGUSR2);
    _exit(42);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 42 << 8);
  ready();
  wait_for_go();
  success();
}
