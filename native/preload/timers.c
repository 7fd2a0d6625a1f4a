/* Interval timers and POSIX timers: what they do and how much of them remains. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "checkpoint.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"

static long describe_itimers(struct checkpoint *c) {
  for (uint32_t which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
    struct itimerval timer;
    long result = sys(SYS_(getitimer), which, &timer);
    if (result < 0)
      return fail(c, result, "interval timer %u cannot be read: %s", (uint64_t)which, text_errno(result));
    if (timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0)
      continue;
    struct ckpt_itimer *entry = list_add(&c->arena, &c->itimers, sizeof *entry);
    if (!entry)
      return -ENOMEM;
    entry->which = which;
    entry->interval_us = timer.it_interval.tv_sec * 1000000 + timer.it_interval.tv_usec;
    entry->value_us = timer.it_value.tv_sec * 1000000 + timer.it_value.tv_usec;
  }
  return 0;
}

/* "signal/pid.4711", "none/pid.4711" or "signal/tid.4712" */
static void read_notify(const char *at, struct ckpt_timer *timer) {
  timer->notify = text_starts(at, "signal/") ? SIGEV_SIGNAL
                  : text_starts(at, "none/") ? SIGEV_NONE
                                             : SIGEV_THREAD;
  while (*at && *at != '/' && *at != '\n')
    at++;
  if (!text_starts(at, "/tid."))
    return;
  at += 5;
  timer->notify |= SIGEV_THREAD_ID;
  timer->tid = (int32_t)text_take_decimal(&at);
}

static long read_times(struct checkpoint *c, struct ckpt_timer *timer) {
  struct itimerspec times;
  long result = sys(SYS_(timer_gettime), timer->id, &times);
  if (result < 0)
    return fail(c, result, "POSIX timer %d cannot be read: %s", (int64_t)timer->id, text_errno(result));
  timer->interval_ns = times.it_interval.tv_sec * 1000000000 + times.it_interval.tv_nsec;
  timer->value_ns = times.it_value.tv_sec * 1000000000 + times.it_value.tv_nsec;
  return 0;
}

/* By id: that is the order in which they can be made again. */
static long add_timer(struct checkpoint *c, const struct ckpt_timer *timer) {
  if (!list_add(&c->arena, &c->timers, sizeof *timer))
    return -ENOMEM;
  struct ckpt_timer *all = c->timers.entries;
  size_t at = c->timers.count - 1;
  for (; at > 0 && all[at - 1].id > timer->id; at--)
    all[at] = all[at - 1];
  all[at] = *timer;
  return 0;
}

/* Four lines a timer: "ID: 0", "signal: 14/00007ffc...", "notify: signal/pid.4711", "ClockID: 1". */
static long describe_posix_timers(struct checkpoint *c) {
  enum { BUFFER = 4096 };
  struct proc_lines lines;
  char *buffer = arena_take(&c->arena, BUFFER);
  if (!buffer)
    return -ENOMEM;
  long result = proc_lines_open(&lines, "/proc/self/timers", buffer, BUFFER);
  if (result == -ENOENT)
    return 0; /* a kernel without CONFIG_CHECKPOINT_RESTORE or POSIX timers */
  if (result < 0)
    return fail(c, result, "/proc/self/timers: %s", text_errno(result));
  struct ckpt_timer timer;
  for (char *line; result == 0 && (line = proc_lines_next(&lines));) {
    const char *at = line;
    while (*at && *at != ' ')
      at++;
    text_skip_spaces(&at);
    if (text_starts(line, "ID:")) {
      timer = (struct ckpt_timer){.id = (int32_t)text_take_decimal(&at)};
    } else if (text_starts(line, "signal:")) {
      timer.signal = (uint32_t)text_take_decimal(&at);
      at++;
      timer.value = text_take_hex(&at);
    } else if (text_starts(line, "notify:")) {
      read_notify(at, &timer);
    } else if (text_starts(line, "ClockID:")) {
      bool negative = *at == '-';
      at += negative;
      int32_t clock = (int32_t)text_take_decimal(&at);
      timer.clock = negative ? -clock : clock;
      result = read_times(c, &timer);
      if (result == 0)
        result = add_timer(c, &timer);
    }
  }
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result;
}

long describe_timers(struct checkpoint *c) {
  long result = describe_itimers(c);
  return result < 0 ? result : describe_posix_timers(c);
}
