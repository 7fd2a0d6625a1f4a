/* aio_queues [poll]: queues of asynchronous I/O: one in which a thread waits for an event, one of several
 * pages with events that nobody has taken, past the end of its ring, and one without any. With "poll" one
 * polls. */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "check.h"

enum { WAITING = 40, LARGE = 600 };

static aio_context_t waited_for, large, idle;
static int file, counter; /* of events of the poll */
static char text[4096];

static void submit(aio_context_t queue, struct iocb *request) {
  struct iocb *requests[] = {request};
  CHECK(syscall(SYS_io_submit, queue, 1, requests) == 1);
}

static void write_to(aio_context_t queue, uint64_t data, size_t length) {
  struct iocb request = {.aio_data = data,
                         .aio_lio_opcode = IOCB_CMD_PWRITE,
                         .aio_fildes = (unsigned)file,
                         .aio_buf = (unsigned long)text,
                         .aio_nbytes = length};
  submit(queue, &request);
}

static void expect(aio_context_t queue, uint64_t data, int64_t result) {
  struct io_event event;
  CHECK(syscall(SYS_io_getevents, queue, 1, 1, &event, NULL) == 1);
  CHECK(event.data == data && event.res == result);
}

static void expect_nothing(aio_context_t queue) {
  struct timespec none = {0, 0};
  struct io_event event;
  CHECK(syscall(SYS_io_getevents, queue, 0, 1, &event, &none) == 0);
}

static void *wait_for_event(void *unused) {
  expect(waited_for, 4711, 5);
  return unused;
}

static int start_poll(void) {
  int fd = eventfd(0, EFD_CLOEXEC);
  static struct iocb request;
  counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  request = (struct iocb){.aio_data = 815,
                          .aio_lio_opcode = IOCB_CMD_POLL,
                          .aio_fildes = (unsigned)fd,
                          .aio_buf = POLLIN,
                          .aio_flags = IOCB_FLAG_RESFD,
                          .aio_resfd = (unsigned)counter};
  CHECK(fd >= 0 && counter >= 0);
  submit(idle, &request);
  return fd;
}

int main(int argc, char **argv) {
  pthread_t waiter;
  char name[] = "aio-XXXXXX";
  aio_context_t first = 0;
  file = mkstemp(name);
  CHECK(file >= 0 && unlink(name) == 0);
  CHECK(syscall(SYS_io_setup, 1, &first) == 0 && syscall(SYS_io_setup, 1, &waited_for) == 0);
  CHECK(syscall(SYS_io_setup, LARGE, &large) == 0 && syscall(SYS_io_setup, 1, &idle) == 0);
  CHECK(syscall(SYS_io_destroy, first) ==
        0); /* whose number is free: that of none of the others may matter */
  CHECK(pthread_create(&waiter, NULL, wait_for_event, NULL) == 0);
  uint64_t number = 0;
  for (; number < 2 * LARGE; number++) {
    write_to(large, number, 3);
    expect(large, number, 3);
  }
  for (int i = 0; i < WAITING; i++)
    write_to(large, number + (uint64_t)i, (size_t)i);
  int polled = argc == 2 && strcmp(argv[1], "poll") == 0 ? start_poll() : -1;

  ready();
  wait_for_go();

  for (int i = 0; i < WAITING; i++)
    expect(large, number + (uint64_t)i, i);
  for (int i = 0; i < LARGE; i++)
    write_to(large, (uint64_t)i, 7);
  for (int i = 0; i < LARGE; i++)
    expect(large, (uint64_t)i, 7);
  write_to(waited_for, 4711, 5);
  CHECK(pthread_join(waiter, NULL) == 0);
  eventfd_t counted;
  if (polled >= 0)
    CHECK(eventfd_read(counter, &counted) == -1 && errno == EAGAIN && eventfd_write(polled, 1) == 0);
  else
    write_to(idle, 815, POLLIN);
  expect(idle, 815, POLLIN);
  CHECK(polled < 0 || (eventfd_read(counter, &counted) == 0 && counted == 1));
  expect_nothing(idle);
  expect_nothing(large);
  CHECK(syscall(SYS_io_destroy, large) == 0 && syscall(SYS_io_destroy, idle) == 0);
  CHECK(syscall(SYS_io_destroy, waited_for) == 0 && syscall(SYS_io_destroy, idle) == -1);
  success();
}
