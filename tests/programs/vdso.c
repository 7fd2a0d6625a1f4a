/* The clocks that libc reads through the vdso, whose addresses it has remembered. */
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "maps.h"

static long seconds(clockid_t clock) {
  struct timespec now;
  CHECK(clock_gettime(clock, &now) == 0);
  return now.tv_sec;
}

static void compare(void) {
  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC,       CLOCK_MONOTONIC_RAW,
                                     CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE};
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
    for (int j = 0; j < 1000; j++) {
      struct timespec kernel;
      CHECK(syscall(SYS_clock_gettime, clocks[i], &kernel) == 0);
      long difference = seconds(clocks[i]) - kernel.tv_sec;
      CHECK(difference >= -1 && difference <= 1);
    }
  struct timeval day;
  CHECK(gettimeofday(&day, NULL) == 0);
  long difference = seconds(CLOCK_REALTIME) - day.tv_sec;
  CHECK(difference >= 0 && difference <= 1);
  CHECK(labs(time(NULL) - day.tv_sec) <= 1);
  struct timespec resolution;
  CHECK(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0);
  CHECK(sched_getcpu() >= 0);
}

int main(void) {
  compare();
  void *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
  long before = seconds(CLOCK_MONOTONIC);
  ready();
  wait_for_go();
  compare();
  CHECK(seconds(CLOCK_MONOTONIC) >= before);
  struct map_line map;
  CHECK(vdso && map_at(vdso, &map) && memcmp(vdso, "\177ELF", 4) == 0);
  success();
}
