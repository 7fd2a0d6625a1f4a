/* Interval timers and POSIX timers: what they do and how much of them remains. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "thread.h"

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
  long overrun = sys(SYS_(timer_getoverrun), timer->id);
  timer->overrun = overrun < 0 ? 0 : (int32_t)overrun;
  return 0;
}

/* ---- Clocks of CPU time: the id of a process or thread (0: one's own), inverted, above three bits ---------
 */

enum { OF_THREAD = 4 };

static int32_t cpu_clock_owner(int32_t clock) {
  return ~(clock >> 3);
}

static const struct ckpt_thread *find_thread(const struct checkpoint *c, int32_t tid) {
  const struct thread_note *notes = c->threads.entries;
  for (size_t i = 0; i < c->threads.count; i++)
    if (notes[i].thread.tid == tid)
      return &notes[i].thread;
  return NULL;
}

static int64_t in_ns(const struct timespec *time) {
  return time->tv_sec * 1000000000 + time->tv_nsec;
}

static int64_t read_clock(int32_t clock) {
  struct timespec now;
  return sys(SYS_(clock_gettime), clock, &now) < 0 ? -1 : in_ns(&now);
}

/* CPU time of the thread that the timer counts, or a negative errno: what is missing to a time in the far
 * future. The timer goes on with `times`. */
static int64_t counted_time(const struct ckpt_timer *timer, const struct itimerspec *times) {
  static const struct itimerspec far = {.it_value = {.tv_sec = 4000000000}};
  struct itimerspec left = {0};
  long result = sys(SYS_(timer_settime), timer->id, TIMER_ABSTIME, &far, NULL);
  if (result >= 0)
    result = sys(SYS_(timer_gettime), timer->id, &left);
  if (result >= 0)
    result = sys(SYS_(timer_settime), timer->id, 0, times, NULL);
  return result < 0 ? result : in_ns(&far.it_value) - in_ns(&left.it_value);
}

/* The kernel only says that it is a thread's own time. All but this thread stand still, and no two have used
 * the same nanoseconds. */
static long name_thread(struct checkpoint *c, struct ckpt_timer *timer) {
  const struct thread_note *notes = c->threads.entries;
  int32_t self = (int32_t)sys(SYS_(gettid)), kind = timer->clock & 7;
  struct itimerspec times = {
      .it_interval = {timer->interval_ns / 1000000000, timer->interval_ns % 1000000000},
      .it_value = {timer->value_ns / 1000000000, timer->value_ns % 1000000000}};
  int32_t tid = self;
  int64_t begin = read_clock(timer->clock), time = counted_time(timer, &times);
  int64_t end = read_clock(timer->clock);
  if (time == -ESRCH)
    return 0; /* the thread has ended, and the timer with it */
  for (size_t i = 0; i < c->threads.count; i++)
    if (notes[i].thread.tid != self && read_clock(~notes[i].thread.tid * 8 + kind) == time)
      tid = notes[i].thread.tid;
  if (time < 0 || (tid == self && (time < begin || time > end)))
    return fail(c, -EOPNOTSUPP, "POSIX timer %d counts the CPU time of a thread that cannot be found",
                (int64_t)timer->id);
  timer->clock = ~tid * 8 + kind;
  return 0;
}

static long check_cpu_clock(struct checkpoint *c, struct ckpt_timer *timer) {
  int32_t owner = cpu_clock_owner(timer->clock);
  if (timer->clock >= 0)
    return 0;
  if (timer->clock & OF_THREAD) {
    if (owner == 0)
      return c->threads.count > 1 ? name_thread(c, timer) : 0;
    if (!find_thread(c, owner)) /* it has ended: nothing is counted any more */
      timer->clock |= ~7;
    return 0;
  }
  if (owner != 0 && owner != c->process.pid)
    return fail(c, -EOPNOTSUPP, "POSIX timer %d counts the CPU time of another process (%d)",
                (int64_t)timer->id, (int64_t)owner);
  timer->clock |= ~7;
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

static long describe_timer(struct checkpoint *c, struct ckpt_timer *timer) {
  long result = read_times(c, timer);
  if (result == 0)
    result = check_cpu_clock(c, timer);
  /* Nobody is told when the thread has ended. */
  if (timer->notify & SIGEV_THREAD_ID && !find_thread(c, timer->tid))
    timer->notify = SIGEV_NONE;
  return result < 0 ? result : add_timer(c, timer);
}

/* Four lines a timer: "ID: 0", "signal: 14/00007ffc...", "notify: signal/pid.4711", "ClockID: 1". */
static bool parse_line(const char *line, struct ckpt_timer *timer) {
  const char *at = line;
  while (*at && *at != ' ')
    at++;
  text_skip_spaces(&at);
  if (text_starts(line, "ID:")) {
    *timer = (struct ckpt_timer){.id = (int32_t)text_take_decimal(&at)};
  } else if (text_starts(line, "signal:")) {
    timer->signal = (uint32_t)text_take_decimal(&at);
    at++;
    timer->value = text_take_hex(&at);
  } else if (text_starts(line, "notify:")) {
    read_notify(at, timer);
  } else if (text_starts(line, "ClockID:")) {
    bool negative = *at == '-';
    at += negative;
    int32_t clock = (int32_t)text_take_decimal(&at);
    timer->clock = negative ? -clock : clock;
    return true;
  }
  return false;
}

static long each_timer(struct checkpoint *c, long (*work)(struct checkpoint *c, struct ckpt_timer *timer)) {
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
  struct ckpt_timer timer = {0};
  for (char *line; result == 0 && (line = proc_lines_next(&lines));)
    if (parse_line(line, &timer))
      result = work(c, &timer);
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result;
}

static long add_timer_thread(struct checkpoint *c, struct ckpt_timer *timer) {
  if (timer->signal != CKPT_CONTROL_SIGNAL || !(timer->notify & SIGEV_THREAD_ID) ||
      is_timer_thread(c, timer->tid))
    return 0;
  int32_t *tid = list_add(&c->arena, &c->helpers, sizeof *tid);
  if (!tid)
    return -ENOMEM;
  *tid = timer->tid;
  return 0;
}

long find_timer_threads(struct checkpoint *c) {
  return each_timer(c, add_timer_thread);
}

bool is_timer_thread(const struct checkpoint *c, int32_t tid) {
  const int32_t *tids = c->helpers.entries;
  for (size_t i = 0; i < c->helpers.count; i++)
    if (tids[i] == tid)
      return true;
  return false;
}

long describe_timers(struct checkpoint *c) {
  long result = describe_itimers(c);
  return result < 0 ? result : each_timer(c, describe_timer);
}
