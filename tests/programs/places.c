/* places PATH: has PATH open for writing, and after "go" writes there, and says where it is and what it is.
 */
#include <fcntl.h>
#include <limits.h>

#include "check.h"

static void tell(const char *link) {
  char target[PATH_MAX], line[PATH_MAX + 64];
  ssize_t n = readlink(link, target, sizeof target - 1);
  CHECK(n >= 0);
  target[n] = 0;
  snprintf(line, sizeof line, "%s %s\n", link, target);
  say(line);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int fd = open(argv[1], O_WRONLY | O_CREAT, 0600);
  CHECK(fd == 3);
  CHECK(dup(fd) == 4);
  CHECK(write(fd, "before\n", 7) == 7);
  ready();
  wait_for_go();
  CHECK(write(fd, "after\n", 6) == 6);
  CHECK(write(4, "four\n", 5) == 5);
  tell("/proc/self/exe");
  tell("/proc/self/cwd");
  tell("/proc/self/fd/3");
  CHECK(write(2, "error\n", 6) == 6);
  success();
}
