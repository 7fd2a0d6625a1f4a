/* Interval timers and POSIX timers, started last: they run from here on. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <time.h>

#include "core/sys.h"
#include "restorer/restorer.h"

static void start_itimers(struct plan *plan) {
  for (uint32_t i = 0; i < plan->itimer_count; i++) {
    const struct ckpt_itimer *from = &plan->itimers[i];
    int64_t timer[4] = {from->interval_us / 1000000, from->interval_us % 1000000, from->value_us / 1000000,
                        from->value_us % 1000000};
    long error = sys(SYS_(setitimer), from->which, timer, 0);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_ITIMER, error, from->which, 0);
  }
}

/* ---- timer_create ------------------------------------------------------------------------------------- */

enum {
  RESTORE_IDS = 77 /* PR_TIMER_CREATE_RESTORE_IDS, Linux 6.15: timer_create takes the id that it is given */
};
enum { ID_ATTEMPTS = 1 << 20 };

/* The kernel's struct sigevent. */
struct event {
  uint64_t value;
  int32_t signal;
  int32_t notify;
  int32_t tid;
  int32_t pad[11];
};

/* What a thread of the image is called now. */
int32_t restorer_id_now(const struct plan *plan, int32_t tid) {
  for (uint32_t i = 0; i < plan->thread_count; i++)
    if (plan->threads[i].tid == tid)
      return plan->thread_ids[i];
  return tid;
}

/* Of a thread's CPU time, with its id. */
static int32_t clock_now(const struct plan *plan, int32_t clock) {
  int32_t owner = ~(clock >> 3);
  return clock < 0 && owner ? ~restorer_id_now(plan, owner) * 8 + (clock & 7) : clock;
}

/* Ids are given out upwards: on an older kernel those in between are made and deleted. */
static long create_with_id(const struct plan *plan, const struct ckpt_timer *timer, struct event *event) {
  for (int attempt = 0; attempt < ID_ATTEMPTS; attempt++) {
    int32_t id = timer->id;
    long error = sys(SYS_(timer_create), clock_now(plan, timer->clock), event, &id);
    if (error < 0 || id == timer->id)
      return error;
    sys(SYS_(timer_delete), id);
    if (id > timer->id)
      return -EEXIST;
  }
  return -EEXIST;
}

static long set_timer(const struct ckpt_timer *timer, bool absolute, int64_t value) {
  int64_t times[4] = {timer->interval_ns / 1000000000, timer->interval_ns % 1000000000, value / 1000000000,
                      value % 1000000000};
  return sys(SYS_(timer_settime), timer->id, absolute ? TIMER_ABSTIME : 0, times, 0);
}

/* Until the signal of this timer has come; others that wait for this thread are queued again, in their order.
 */
static void take_signal(const struct plan *plan, const struct ckpt_timer *timer) {
  bool to_thread = timer->notify & SIGEV_THREAD_ID;
  enum { ATTEMPTS = 64 };
  static const int64_t none[2];
  uint64_t set = 1ull << (timer->signal - 1);
  for (int i = 0; i < ATTEMPTS; i++) {
    siginfo_t info;
    if (sys(SYS_(rt_sigtimedwait), &set, &info, none, sizeof set) < 0)
      return;
    if (info.si_code == SI_TIMER && info.si_timerid == timer->id)
      return;
    if (to_thread)
      sys(SYS_(rt_tgsigqueueinfo), plan->pid, sys(SYS_(gettid)), info.si_signo, &info);
    else
      sys(SYS_(rt_sigqueueinfo), plan->pid, info.si_signo, &info);
  }
}

/* The kernel counts how often a timer has expired between its signal and the taking of it. So one with an
 * overrun is started that long ago, such that its next expiration is due when it should be; the thread that
 * gets its signal takes it. False: that was before the clock began. */
static bool start_with_overrun(const struct plan *plan, const struct ckpt_timer *timer) {
  int64_t now[2], past;
  if (timer->overrun == 0 || timer->value_ns == 0 || timer->notify == SIGEV_NONE || timer->signal == 0 ||
      __builtin_mul_overflow(timer->interval_ns, (int64_t)timer->overrun + 1, &past) ||
      sys(SYS_(clock_gettime), clock_now(plan, timer->clock), now) < 0)
    return false;
  int64_t first = now[0] * 1000000000 + now[1] - past + timer->value_ns;
  if (first <= 0 || timer->value_ns > past || set_timer(timer, true, first) < 0)
    return false;
  if (!(timer->notify & SIGEV_THREAD_ID) || timer->tid == plan->process.pid)
    take_signal(plan, timer);
  return true;
}

void restorer_take_overruns(const struct plan *plan, const struct ckpt_thread *thread) {
  for (uint32_t i = 0; i < plan->timer_count; i++) {
    const struct ckpt_timer *timer = &plan->timers[i];
    if (timer->notify & SIGEV_THREAD_ID && timer->tid == thread->tid && timer->overrun)
      take_signal(plan, timer);
  }
}

static void start_timer(struct plan *plan, struct ckpt_timer *timer) {
  struct event event = {
      .value = timer->value, .signal = (int32_t)timer->signal, .notify = (int32_t)timer->notify};
  if (timer->notify & SIGEV_THREAD_ID)
    event.tid = restorer_id_now(plan, timer->tid);
  long error = create_with_id(plan, timer, &event);
  if (error >= 0 && !start_with_overrun(plan, timer)) {
    timer->overrun = 0;
    error = set_timer(timer, false, timer->value_ns);
  }
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_TIMER, error, (uint64_t)timer->id, 0);
}

void restorer_start_timers(struct plan *plan) {
  if (plan->timer_count) {
    bool exact = sys(SYS_(prctl), RESTORE_IDS, 1, 0, 0, 0) == 0;
    for (uint32_t i = 0; i < plan->timer_count; i++)
      start_timer(plan, &plan->timers[i]);
    if (exact)
      sys(SYS_(prctl), RESTORE_IDS, 0, 0, 0, 0);
  }
  start_itimers(plan);
}
