/* Timer descriptors: running, periodic, expired and unread, at a time of day, not set. */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>

#include "check.h"

#define HOUR 3600

static int start(int clock, int flags, struct timespec value, struct timespec interval) {
  int fd = timerfd_create(clock, TFD_NONBLOCK);
  struct itimerspec times = {.it_value = value, .it_interval = interval};
  CHECK(fd >= 0 && timerfd_settime(fd, flags, &times, NULL) == 0);
  return fd;
}

static struct itimerspec times_of(int fd) {
  struct itimerspec times;
  CHECK(timerfd_gettime(fd, &times) == 0);
  return times;
}

/* Whether it is to be told when somebody sets the clock, only the kernel's words about it show. */
static unsigned settime_flags(int fd) {
  char path[64], line[128];
  unsigned flags = 0;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE *info = fopen(path, "re");
  CHECK(info);
  while (fgets(line, sizeof line, info))
    sscanf(line, "settime flags: %o", &flags);
  CHECK(fclose(info) == 0);
  return flags;
}

static void wait_until_readable(int fd) {
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  CHECK(poll(&poller, 1, 60000) == 1);
}

int main(void) {
  const struct timespec soon = {0, 1000000}, never = {0, 0}, hour = {HOUR, 0};
  int running = start(CLOCK_MONOTONIC, 0, hour, (struct timespec){7, 5});
  int expired = start(CLOCK_BOOTTIME, 0, soon, never);
  int periodic = start(CLOCK_MONOTONIC, 0, soon, (struct timespec){0, 2000000});
  int unset = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
  struct timespec when;
  CHECK(clock_gettime(CLOCK_REALTIME, &when) == 0);
  when.tv_sec += HOUR;
  int of_day = start(CLOCK_REALTIME, TFD_TIMER_ABSTIME, when, never);
  int told = start(CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, when, never);
  CHECK(settime_flags(told) == (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET));
  wait_until_readable(expired);
  wait_until_readable(periodic);
  ready();
  wait_for_go();

  CHECK(settime_flags(told) == (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET));
  struct itimerspec times = times_of(running);
  CHECK(times.it_value.tv_sec > HOUR - 600 && times.it_value.tv_sec < HOUR);
  CHECK(times.it_interval.tv_sec == 7 && times.it_interval.tv_nsec == 5);
  uint64_t ticks = 0;
  CHECK(read(running, &ticks, 8) == -1 && errno == EAGAIN);
  CHECK(read(expired, &ticks, 8) == 8 && ticks == 1);
  CHECK(read(expired, &ticks, 8) == -1 && errno == EAGAIN);
  CHECK(read(periodic, &ticks, 8) == 8 && ticks >= 1);
  wait_until_readable(periodic);
  CHECK(times_of(periodic).it_interval.tv_nsec == 2000000);
  times = times_of(unset);
  CHECK(times.it_value.tv_sec == 0 && times.it_value.tv_nsec == 0);
  CHECK(fcntl(unset, F_GETFD) == FD_CLOEXEC && !(fcntl(unset, F_GETFL) & O_NONBLOCK));
  struct timespec now;
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
  time_t left = times_of(of_day).it_value.tv_sec, expected = when.tv_sec - now.tv_sec;
  CHECK(left >= expected - 2 && left <= expected + 1);
  success();
}
