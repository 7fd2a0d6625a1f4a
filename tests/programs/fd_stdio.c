/* Duplicates of 0-2, wherever those lead, lead there again: the last words go out through one. */
#include <fcntl.h>

#include "check.h"

int main(void) {
  CHECK(fcntl(0, F_DUPFD_CLOEXEC, 20) == 20);
  CHECK(fcntl(1, F_DUPFD, 30) == 30);
  CHECK(fcntl(2, F_DUPFD_CLOEXEC, 40) == 40);
  ready();
  wait_for_go();
  CHECK(fcntl(20, F_GETFD) == FD_CLOEXEC && fcntl(30, F_GETFD) == 0 && fcntl(40, F_GETFD) == FD_CLOEXEC);
  CHECK(fcntl(3, F_GETFD) == -1 && errno == EBADF);
  char byte;
  CHECK(read(20, &byte, 1) == 1 && byte == '!');
  CHECK(write(40, "through 40\n", 11) == 11);
  CHECK(write(30, "EXIT-SUCCESS\n", 13) == 13);
  return 0;
}
