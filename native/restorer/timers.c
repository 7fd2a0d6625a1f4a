/* Interval timers and POSIX timers, started last: they run from here on. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>

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

/* Ids are given out upwards: on an older kernel those in between are made and deleted. */
static long create_with_id(const struct ckpt_timer *timer, struct event *event) {
  for (int attempt = 0; attempt < ID_ATTEMPTS; attempt++) {
    int32_t id = timer->id;
    long error = sys(SYS_(timer_create), timer->clock, event, &id);
    if (error < 0 || id == timer->id)
      return error;
    sys(SYS_(timer_delete), id);
    if (id > timer->id)
      return -EEXIST;
  }
  return -EEXIST;
}

static void start_timer(struct plan *plan, const struct ckpt_timer *timer) {
  struct event event = {
      .value = timer->value, .signal = (int32_t)timer->signal, .notify = (int32_t)timer->notify};
  if (timer->notify & SIGEV_THREAD_ID)
    event.tid = timer->tid == plan->process.pid ? plan->pid : timer->tid;
  long error = create_with_id(timer, &event);
  int64_t times[4] = {timer->interval_ns / 1000000000, timer->interval_ns % 1000000000,
                      timer->value_ns / 1000000000, timer->value_ns % 1000000000};
  if (error >= 0)
    error = sys(SYS_(timer_settime), timer->id, 0, times, 0);
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
