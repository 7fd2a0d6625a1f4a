/* No new process has the id of a child that has ended: a shell, for one, remembers those with their statuses.
 * Each "ping" has more children. */
#include <sys/wait.h>

#include "check.h"

enum { A_TIME = 20, MOST = 400 };
static pid_t ended[MOST];
static int count;

static void have_children(void) {
  for (int i = 0; i < A_TIME; i++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
      _exit(0);
    CHECK(waitpid(child, NULL, 0) == child);
    for (int j = 0; j < count; j++)
      if (ended[j] == child)
        FAIL("%d is the id of child %d and of child %d", child, j, count);
    CHECK(count < MOST);
    ended[count++] = child;
  }
}

int main(void) {
  char line[64];
  have_children();
  ready();
  for (;;) {
    read_line(line, sizeof line);
    have_children();
    if (strcmp(line, "go") == 0)
      success();
    CHECK(strcmp(line, "ping") == 0);
    say("pong\n");
  }
}
