/* Reads and writes. See undisturbed.h. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "undisturbed.h"

static int readable[2], full[2], event, timer;
static char page[4096];

static void prepare_readable(void) {
  CHECK(pipe(readable) == 0);
}

static void block_read(void) {
  char byte;
  CHECK(read(readable[0], &byte, 1) == 1 && byte == 'x');
}

static void wake_read(void) {
  CHECK(write(readable[1], "x", 1) == 1);
}

static void prepare_full(void) {
  CHECK(pipe2(full, O_NONBLOCK) == 0);
  while (write(full[1], page, sizeof page) == sizeof page)
    continue;
  CHECK(errno == EAGAIN && fcntl(full[1], F_SETFL, 0) == 0 && fcntl(full[0], F_SETFL, 0) == 0);
}

static void block_write(void) {
  CHECK(write(full[1], page, sizeof page) == sizeof page);
}

static void wake_write(void) {
  CHECK(read(full[0], page, sizeof page) == sizeof page);
}

static void prepare_eventfd(void) {
  CHECK((event = eventfd(0, 0)) >= 0);
}

static void block_eventfd(void) {
  uint64_t count;
  CHECK(read(event, &count, sizeof count) == sizeof count && count == 3);
}

static void wake_eventfd(void) {
  uint64_t count = 3;
  CHECK(write(event, &count, sizeof count) == sizeof count);
}

static void prepare_timerfd(void) {
  CHECK((timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) >= 0);
}

static void block_timerfd(void) {
  uint64_t count;
  const struct itimerspec once = {.it_value = whole};
  CHECK(timerfd_settime(timer, 0, &once, NULL) == 0);
  CHECK(read(timer, &count, sizeof count) == sizeof count && count == 1);
}

static struct row rows[] = {
    {.name = "read", .prepare = prepare_readable, .block = block_read, .wake = wake_read},
    {.name = "write", .prepare = prepare_full, .block = block_write, .wake = wake_write},
    {.name = "eventfd", .prepare = prepare_eventfd, .block = block_eventfd, .wake = wake_eventfd},
    {.name = "timerfd", .kind = TIMED, .prepare = prepare_timerfd, .block = block_timerfd},
};

MAIN
