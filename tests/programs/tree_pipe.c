/* A pipe that many processes could read: what waits in it is there once, whichever of them is brought back
 * first. */
#include <sys/wait.h>

#include "check.h"

enum { CHILDREN = 6 };

int main(void) {
  int data[2], go[2], status;
  char text[16];
  CHECK(pipe(data) == 0 && pipe(go) == 0 && write(data[1], "tokens", 6) == 6);
  for (int i = 0; i < CHILDREN; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      alarm(300); /* should the parent be gone without a word */
      _exit(read(go[0], text, 1) == 1 && read(data[0], text, 1) == 1 ? text[0] : 1);
    }
  }
  CHECK(close(data[0]) == 0);
  ready();
  wait_for_go();
  CHECK(write(go[1], "......", CHILDREN) == CHILDREN);
  int sum = 0, wanted = 't' + 'o' + 'k' + 'e' + 'n' + 's';
  for (int i = 0; i < CHILDREN; i++) {
    CHECK(wait(&status) > 0 && WIFEXITED(status));
    sum += WEXITSTATUS(status);
  }
  CHECK(sum == wanted);
  success();
}
