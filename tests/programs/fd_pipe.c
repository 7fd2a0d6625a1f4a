/* A pipe with both ends in the process: contents, capacity, flags; a full and an empty one. */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "check.h"

#define BIG (1 << 17)

static char block[BIG];

int main(void) {
  int small[2], full[2], empty[2];
  CHECK(pipe2(small, O_CLOEXEC) == 0 && pipe2(full, O_NONBLOCK) == 0 && pipe(empty) == 0);
  CHECK(write(small[1], "hello", 5) == 5);
  CHECK(fcntl(full[1], F_SETPIPE_SZ, BIG) == BIG);
  for (int i = 0; i < BIG; i++)
    block[i] = (char)(i * 31);
  CHECK(write(full[1], block, BIG) == BIG);
  int reader = dup(small[0]);
  CHECK(reader >= 0);

  ready();
  wait_for_go();

  char text[16];
  CHECK(fcntl(small[0], F_GETFD) == FD_CLOEXEC && fcntl(full[0], F_GETFD) == 0);
  CHECK(fcntl(full[0], F_GETFL) & O_NONBLOCK && !(fcntl(empty[0], F_GETFL) & O_NONBLOCK));
  CHECK(read(reader, text, 2) == 2 && read(small[0], text + 2, 14) == 3 && memcmp(text, "hello", 5) == 0);
  CHECK(fcntl(full[1], F_GETPIPE_SZ) == BIG);
  CHECK(write(full[1], "x", 1) == -1 && errno == EAGAIN);
  static char got[BIG];
  CHECK(read(full[0], got, BIG) == BIG && memcmp(got, block, BIG) == 0);
  int waiting = 1;
  CHECK(ioctl(empty[0], FIONREAD, &waiting) == 0 && waiting == 0);
  CHECK(write(empty[1], "z", 1) == 1 && read(empty[0], text, 16) == 1 && text[0] == 'z');
  success();
}
