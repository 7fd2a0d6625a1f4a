/* Sleeps. See undisturbed.h. */
#include "undisturbed.h"

static void block_nanosleep(void) {
  CHECK(nanosleep(&whole, NULL) == 0);
}

static void block_nanosleep_remainder(void) {
  struct timespec left;
  CHECK(nanosleep(&whole, &left) == 0);
}

static void block_clock_nanosleep(void) {
  struct timespec left;
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &whole, &left) == 0);
}

static void block_clock_nanosleep_absolute(void) {
  struct timespec until = after(CLOCK_REALTIME);
  CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL) == 0);
}

static void block_usleep(void) {
  CHECK(usleep(MS * 1000) == 0);
}

static void block_sleep(void) {
  CHECK(sleep(MS / 1000) == 0);
}

static void block_clock_nanosleep_monotonic(void) {
  struct timespec until = after(CLOCK_MONOTONIC);
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
}

static struct row rows[] = {
    {.name = "nanosleep", .kind = TIMED_AGAIN, .block = block_nanosleep},
    {.name = "nanosleep_remainder", .kind = TIMED, .block = block_nanosleep_remainder},
    {.name = "clock_nanosleep", .kind = TIMED, .block = block_clock_nanosleep},
    {.name = "clock_nanosleep_absolute", .kind = OF_DAY, .block = block_clock_nanosleep_absolute},
    {.name = "clock_nanosleep_monotonic", .kind = TIMED, .block = block_clock_nanosleep_monotonic},
    {.name = "usleep", .kind = TIMED_AGAIN, .block = block_usleep},
    {.name = "sleep", .kind = TIMED, .block = block_sleep},
};

MAIN
