/* aio_syncs PATH: until the line "go", lets what it has written to a file be synced, with several requests
 * under way, and checks each that has ended: none is lost, none comes twice, and an eventfd has
 * counted each. */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "check.h"

enum { BLOCK = 1 << 20, DEPTH = 4 };

static bool is_asked(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 0) == 1;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  long done = 0, next = 0;
  aio_context_t queue = 0;
  static char block[BLOCK];
  struct iocb requests[DEPTH];
  bool under_way[DEPTH] = {false};
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  eventfd_t counted;
  CHECK(fd >= 0 && counter >= 0 && syscall(SYS_io_setup, DEPTH, &queue) == 0);
  ready();
  for (;;) {
    bool asked = is_asked();
    if (asked && done == next)
      break;
    for (int i = 0; i < DEPTH && !asked; i++) {
      struct iocb *request = &requests[i];
      if (under_way[i])
        continue;
      memset(block, (int)next, sizeof block);
      CHECK(pwrite(fd, block, sizeof block, next++ % 8 * BLOCK) == BLOCK);
      *request = (struct iocb){.aio_data = (unsigned)i,
                               .aio_lio_opcode = IOCB_CMD_FSYNC,
                               .aio_fildes = (unsigned)fd,
                               .aio_flags = IOCB_FLAG_RESFD,
                               .aio_resfd = (unsigned)counter};
      under_way[i] = true;
      CHECK(syscall(SYS_io_submit, queue, 1, &request) == 1);
    }
    struct io_event event;
    long n;
    while ((n = syscall(SYS_io_getevents, queue, 1, 1, &event, NULL)) < 0 && errno == EINTR)
      ;
    CHECK(n == 1 && event.data < DEPTH && under_way[event.data] && event.res == 0);
    under_way[event.data] = false;
    done++;
  }
  wait_for_go();
  CHECK(eventfd_read(counter, &counted) == 0 && counted == (eventfd_t)done);
  success();
}
