/* A thread that waits for asynchronous input and output to end, which no image can hold. */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "check.h"

static aio_context_t context;

static void *wait_for_event(void *unused) {
  struct io_event event;
  CHECK(syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1);
  CHECK(event.data == 4711 && event.res == 5);
  return unused;
}

int main(void) {
  pthread_t waiter;
  char name[] = "aio-XXXXXX", text[] = "hello";
  int file = mkstemp(name);
  CHECK(file >= 0 && unlink(name) == 0 && syscall(SYS_io_setup, 1, &context) == 0);
  CHECK(pthread_create(&waiter, NULL, wait_for_event, NULL) == 0);
  ready();
  wait_for_go();
  struct iocb order = {.aio_data = 4711,
                       .aio_lio_opcode = IOCB_CMD_PWRITE,
                       .aio_fildes = (unsigned)file,
                       .aio_buf = (unsigned long)text,
                       .aio_nbytes = 5};
  struct iocb *orders[] = {&order};
  CHECK(syscall(SYS_io_submit, context, 1, orders) == 1);
  CHECK(pthread_join(waiter, NULL) == 0);
  success();
}
