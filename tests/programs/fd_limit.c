/* fd_limit COUNT FILE: all descriptors but the last few that the limit allows are open, each with a position
 * of its own. */
#include <fcntl.h>
#include <sys/resource.h>

#include "check.h"

int main(int argc, char **argv) {
  struct rlimit before, after;
  CHECK(argc == 3);
  int count = atoi(argv[1]);
  CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK((rlim_t)count <= before.rlim_cur);
  for (int i = 3; i < count; i++) {
    int fd = open(argv[2], O_RDWR | O_CREAT, 0600);
    if (fd == -1)
      FAIL("descriptor %d: %s", i, strerror(errno));
    if (fd != i)
      CHECK(dup2(fd, i) == i && close(fd) == 0);
    CHECK(lseek(i, i, SEEK_SET) == i);
  }

  ready();
  wait_for_go();

  for (int i = 3; i < count; i++)
    CHECK(lseek(i, 0, SEEK_CUR) == i);
  CHECK(getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(after.rlim_cur == before.rlim_cur && after.rlim_max == before.rlim_max);
  /* The next one is the lowest that is free, and the limit is in force. */
  while ((rlim_t)count < after.rlim_cur) {
    int fd = open(argv[2], O_RDONLY);
    CHECK(fd == count);
    count++;
  }
  CHECK(open(argv[2], O_RDONLY) == -1 && errno == EMFILE);
  success();
}
