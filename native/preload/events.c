/* What counts and waits without a file behind it: eventfd, timerfd, signalfd. */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "open_files.h"

static int64_t now_in_ns(int clock) {
  struct timespec now;
  return sys(SYS_(clock_gettime), clock, &now) < 0 ? 0 : now.tv_sec * 1000000000 + now.tv_nsec;
}

/* "it_value: (SECONDS, NANOSECONDS)" */
static int64_t time_field(const char *info, const char *name) {
  for (const char *at = info; *at;) {
    if (text_starts(at, name)) {
      at += strlen(name);
      int64_t seconds = (int64_t)text_take_decimal(&at);
      at += *at == ',' ? 2 : 0;
      return seconds * 1000000000 + (int64_t)text_take_decimal(&at);
    }
    while (*at && *at++ != '\n')
      ;
  }
  return 0;
}

static long describe_timerfd(struct looking *l, struct ckpt_description *d) {
  struct itimerspec unused;
  struct ckpt_timerfd timer = {0};
  uint64_t clock = 0, flags = 0;
  /* An interval that has passed is only counted when somebody asks. */
  long result = sys(SYS_(timerfd_gettime), l->fd, &unused);
  if (result >= 0)
    result = look(l);
  if (result < 0)
    return fail(l->c, result, "descriptor %d: %s", (int64_t)l->fd, text_errno(result));
  proc_field(l->info, "clockid", 10, &clock);
  proc_field(l->info, "ticks", 10, &timer.ticks);
  proc_field(l->info, "settime flags", 8, &flags);
  timer.clock = (int32_t)clock;
  timer.flags = (uint32_t)flags;
  timer.value_ns = time_field(l->info, "it_value: (");
  timer.interval_ns = time_field(l->info, "it_interval: (");
  /* It may have expired between two lines. */
  if (timer.ticks && timer.interval_ns == 0)
    timer.value_ns = 0;
  else if (timer.ticks && timer.value_ns == 0)
    timer.value_ns = timer.interval_ns;
  if (timer.value_ns && flags & TFD_TIMER_ABSTIME && clock == CLOCK_REALTIME)
    timer.value_ns += now_in_ns(CLOCK_REALTIME);
  struct ckpt_timerfd *entry = list_add(&l->c->arena, &l->c->timerfds, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = timer;
  d->kind = CKPT_DESC_TIMERFD;
  d->a = l->c->timerfds.count - 1;
  return 0;
}

/* Older kernels do not tell EFD_SEMAPHORE: reading two or more does, and what is read is put back. */
static bool counts_down(int fd, uint64_t count) {
  uint64_t raise = count < 2 ? 2 - count : 0, got = 0;
  if (raise)
    sys(SYS_(write), fd, &raise, sizeof raise);
  sys(SYS_(read), fd, &got, sizeof got);
  uint64_t left = count + raise - got, missing = count - left;
  if (left < count)
    sys(SYS_(write), fd, &missing, sizeof missing);
  else if (left > count)
    sys(SYS_(read), fd, &left, sizeof left);
  return got == 1;
}

/* Of those that share it one looks, and tells the count: the others may see it on its way. */
static void describe_eventfd(struct looking *l, struct ckpt_description *d, uint64_t count) {
  uint32_t shared = shared_id(l->c, l->fd);
  d->kind = CKPT_DESC_EVENTFD;
  if (proc_field(l->info, "eventfd-semaphore", 10, &d->b)) {
    d->a = count;
  } else if (!shared || carries_shared(l->c, shared)) {
    d->b = counts_down(l->fd, count);
    d->a = count;
  }
}

/* Of a child that has ended, for which nobody has waited. */
static bool is_own_ended(int32_t pid) {
  siginfo_t info = {0};
  return sys(SYS_(waitid), P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) == 0 &&
         info.si_pid == pid;
}

/* Children that have ended come to their groups after what is in flight has been made. */
static bool has_pidfd_of(const struct looking *l, int32_t pid, struct ckpt_description *d) {
  bool own = pid == l->c->process.pid;
  if (!own && !is_in_job(l->c, pid) && (is_in_flight(l->c, l->fd) || !is_own_ended(pid)))
    return false;
  d->kind = CKPT_DESC_PIDFD;
  d->b = own ? 0 : (uint64_t)pid;
  return true;
}

long describe_anonymous(struct looking *l, struct ckpt_description *d) {
  static const struct {
    const char *name, *words;
  } known[] = {
      {"anon_inode:[io_uring]", "an io_uring"},
      {"anon_inode:[userfaultfd]", "a userfaultfd"},
      {"anon_inode:[pidfd]", "a pidfd of another process"},
      {"anon_inode:[perf_event]", "a perf event"},
      {"pidfd:", "a pidfd of another process"},
  };
  uint64_t count;
  if (proc_field(l->info, "eventfd-count", 16, &count)) {
    describe_eventfd(l, d, count);
    return 0;
  }
  if (text_equal(l->name, "anon_inode:[timerfd]"))
    return describe_timerfd(l, d);
  if (text_equal(l->name, "anon_inode:[signalfd]") && proc_field(l->info, "sigmask", 16, &d->a)) {
    d->kind = CKPT_DESC_SIGNALFD;
    return 0;
  }
  if (text_equal(l->name, "anon_inode:[eventpoll]")) {
    d->kind = CKPT_DESC_EPOLL;
    return 0;
  }
  if (text_equal(l->name, "anon_inode:inotify")) {
    d->kind = CKPT_DESC_INOTIFY;
    return 0;
  }
  uint64_t pid = 0;
  if (proc_field(l->info, "Pid", 10, &pid) && has_pidfd_of(l, (int32_t)pid, d))
    return 0;
  for (const char *at = l->info; *at; at++)
    if (text_starts(at, "\nPid:\t-1\n")) { /* it has ended, and nobody can ask for its status any more */
      d->kind = CKPT_DESC_PIDFD;
      d->a = 1;
      return 0;
    }
  if (leads_outside(l) && l->fd > 2)
    return describe_outside(l, d);
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (text_starts(l->name, known[i].name))
      return refuse(l, known[i].words);
  return refuse(l, "of a kind that is not known");
}
