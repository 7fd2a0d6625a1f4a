/* fd_unreadable PATH: files without a name whose owner may not open them any more, since their mode has been
 * changed, as gunicorn's have to show that a worker lives. One has a hole. */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

enum { HOLE = 3 << 20 };

static int made(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0 && unlink(path) == 0);
  return fd;
}

static void expect(int fd, const char *words, off_t offset, off_t size, mode_t mode) {
  char now[16] = {0};
  struct stat st;
  CHECK(pread(fd, now, strlen(words), offset) == (ssize_t)strlen(words) && strcmp(now, words) == 0);
  CHECK(fstat(fd, &st) == 0 && st.st_size == size && (st.st_mode & 0777) == mode);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int small = made(argv[1]), large = made(argv[1]);
  CHECK(write(small, "small", 5) == 5 && lseek(small, 2, SEEK_SET) == 2 && fchmod(small, 0) == 0);
  CHECK(pwrite(large, "large", 5, HOLE) == 5 && fchmod(large, 01) == 0);
  ready();
  wait_for_go();
  CHECK(lseek(small, 0, SEEK_CUR) == 2);
  expect(small, "small", 0, 5, 0);
  expect(large, "large", HOLE, HOLE + 5, 01);
  CHECK(write(small, "art", 3) == 3 && fchmod(small, 0600) == 0);
  expect(small, "smart", 0, 5, 0600);
  success();
}
