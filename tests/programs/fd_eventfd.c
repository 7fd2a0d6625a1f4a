/* Event descriptors: count, semaphore mode, flags. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "check.h"

int main(void) {
  int plain = eventfd(7, EFD_CLOEXEC), semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
  CHECK(plain >= 0 && semaphore >= 0);
  uint64_t value = 5;
  CHECK(write(plain, &value, 8) == 8);
  ready();
  wait_for_go();
  CHECK(fcntl(plain, F_GETFD) == FD_CLOEXEC && fcntl(semaphore, F_GETFL) & O_NONBLOCK);
  CHECK(read(plain, &value, 8) == 8 && value == 12);
  for (int i = 0; i < 3; i++)
    CHECK(read(semaphore, &value, 8) == 8 && value == 1);
  CHECK(read(semaphore, &value, 8) == -1 && errno == EAGAIN);
  success();
}
