#include "clocks.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/proc.h"
#include "core/sys.h"
#include "say.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define SECOND 1000000000ll
#define NOISE 1000000ll /* two clocks are not read in the same moment */

static struct proc_time_offsets outer;

void clocks_note(void) {
  outer = proc_time_offsets();
}

int64_t clocks_shift(void) {
  return outer.boottime_ns / PROC_TICK_NS;
}

static int64_t now(clockid_t clock) {
  struct timespec time;
  return clock_gettime(clock, &time) < 0 ? 0 : time.tv_sec * SECOND + time.tv_nsec;
}

/* Rounded up. Start times are shown in ticks: with an offset of whole ones everybody can tell what is meant.
 */
static int64_t whole_ticks(int64_t ns) {
  int64_t rest = ns % PROC_TICK_NS;
  return ns - rest + (rest > 0 ? PROC_TICK_NS : 0);
}

/* The kernel wants seconds of either sign and nanoseconds of none. */
static int add_line(char *words, size_t size, const char *clock, int64_t ns) {
  int64_t rest = ns % SECOND;
  int64_t seconds = ns / SECOND - (rest < 0);
  return snprintf(words, size, "%s %lld %lld\n", clock, (long long)seconds,
                  (long long)(rest < 0 ? rest + SECOND : rest));
}

/* Before the namespace's first process: the offsets are fixed from then on. They count from the initial
 * namespace, wherever we are. */
static bool set_offsets(const struct proc_time_offsets *offsets) {
  char words[128];
  int length = add_line(words, sizeof words, "monotonic", offsets->monotonic_ns);
  length += add_line(words + length, sizeof words - (size_t)length, "boottime", offsets->boottime_ns);
  int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  /* In one piece: the kernel takes this file in a single write only. */
  bool done = write(fd, words, (size_t)length) == length;
  close(fd);
  return done;
}

bool clocks_continue(const struct image *image) {
  const struct ckpt_image *saved = &image->info;
  if (unshare(CLONE_NEWTIME) < 0)
    return false;
  int64_t monotonic = now(CLOCK_MONOTONIC), boottime = now(CLOCK_BOOTTIME);
  int64_t ahead = whole_ticks(saved->monotonic_ns - monotonic);
  /* What the machines have slept, which most have not: then both clocks stay the same. */
  int64_t slept = whole_ticks(saved->boottime_ns - saved->monotonic_ns - (boottime - monotonic) - NOISE);
  struct proc_time_offsets offsets = {.monotonic_ns = outer.monotonic_ns + ahead,
                                      .boottime_ns = outer.boottime_ns + ahead + slept};
  return set_offsets(&offsets);
}

void clocks_compare(const struct image *image) {
  int64_t back = image->info.monotonic_ns - now(CLOCK_MONOTONIC);
  int64_t slept = image->info.boottime_ns - now(CLOCK_BOOTTIME);
  if (slept > back)
    back = slept;
  if (back > 0)
    say_warning("the clocks that count from the boot go back by %lld s: the image is from another boot",
                (long long)((back + SECOND - 1) / SECOND));
}
