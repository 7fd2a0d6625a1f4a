/* The devices that every program may hold: null, zero, full, random, urandom. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "check.h"

int main(void) {
  static const char *const names[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
  static const unsigned minors[] = {3, 5, 7, 8, 9};
  for (int i = 0; i < 5; i++) {
    int fd = open(names[i], i == 3 ? O_RDONLY : O_RDWR | (i == 1 ? O_CLOEXEC : 0));
    CHECK(fd == 3 + i);
  }
  ready();
  wait_for_go();
  for (int i = 0; i < 5; i++) {
    struct stat now;
    CHECK(fstat(3 + i, &now) == 0 && S_ISCHR(now.st_mode));
    CHECK(major(now.st_rdev) == 1 && minor(now.st_rdev) == minors[i]);
    CHECK(fcntl(3 + i, F_GETFD) == (i == 1 ? FD_CLOEXEC : 0));
    CHECK((fcntl(3 + i, F_GETFL) & O_ACCMODE) == (i == 3 ? O_RDONLY : O_RDWR));
  }
  char bytes[8] = "abcdefg";
  CHECK(read(3, bytes, 8) == 0);
  CHECK(read(4, bytes, 8) == 8 && memcmp(bytes, "\0\0\0\0\0\0\0", 8) == 0);
  CHECK(write(5, bytes, 8) == -1 && errno == ENOSPC);
  CHECK(read(7, bytes, 8) == 8);
  success();
}
