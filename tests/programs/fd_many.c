/* fd_many DIRECTORY: thousands of descriptors, most of them openings of one file with an offset each, and a
 * duplicate of every hundredth. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "check.h"

enum { FIRST = 1000, MOST = 9000, EVERY = 100, ROOM = 500 };

static int open_in(const char *directory, int number) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%d", directory, number);
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0);
  return fd;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  CHECK(mkdir(argv[1], 0700) == 0 || errno == EEXIST);
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  int count = limit.rlim_max < MOST + ROOM ? (int)limit.rlim_max - ROOM : MOST;
  CHECK(count > FIRST);
  for (int i = FIRST; i < count; i++) {
    int fd = open_in(argv[1], i % 8 ? 0 : i);
    int number = fcntl(fd, F_DUPFD, i);
    CHECK(number == i && close(fd) == 0 && lseek(number, i, SEEK_SET) == i);
    i += i % EVERY == 0 && fcntl(number, F_DUPFD, i + 1) == i + 1;
  }

  ready();
  wait_for_go();

  for (int i = FIRST; i < count; i++) {
    CHECK(lseek(i, 0, SEEK_CUR) == i);
    if (i % EVERY)
      continue;
    CHECK(lseek(i + 1, 0, SEEK_CUR) == i && lseek(i + 1, 1, SEEK_CUR) == i + 1 &&
          lseek(i, 0, SEEK_CUR) == i + 1);
    i++;
  }
  success();
}
