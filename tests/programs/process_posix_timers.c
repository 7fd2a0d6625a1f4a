/* Timers made by timer_create: ids with gaps, what they do, what remained of them; deletion works. */
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>

#include "check.h"

#define TIMERS 6

static volatile sig_atomic_t fired, payload;

static void on_signal(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  payload = info->si_value.sival_int;
  fired++;
}

static void arm(timer_t timer, long seconds, long nanoseconds, long interval) {
  struct itimerspec when = {.it_value = {.tv_sec = seconds, .tv_nsec = nanoseconds},
                            .it_interval = {.tv_sec = interval}};
  CHECK(timer_settime(timer, 0, &when, NULL) == 0);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0);
  timer_t timers[TIMERS];
  for (int i = 0; i < TIMERS; i++) {
    struct sigevent event = {.sigev_notify = i == 1 ? SIGEV_NONE : SIGEV_SIGNAL,
                             .sigev_signo = SIGRTMIN + 1,
                             .sigev_value = {.sival_int = 1000 + i}};
    if (i == 5) {
      event.sigev_notify = SIGEV_THREAD_ID;
      event._sigev_un._tid = getpid();
    }
    CHECK(timer_create(i == 4 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &event, &timers[i]) == 0);
  }
  CHECK(timer_delete(timers[0]) == 0 && timer_delete(timers[3]) == 0);
  arm(timers[1], 500, 0, 11);
  arm(timers[2], 600, 0, 12);
  arm(timers[5], 700, 0, 0);

  ready();
  wait_for_go();

  struct itimerspec now;
  CHECK(timer_gettime(timers[1], &now) == 0);
  CHECK(now.it_value.tv_sec >= 400 && now.it_value.tv_sec <= 500 && now.it_interval.tv_sec == 11);
  CHECK(timer_gettime(timers[2], &now) == 0);
  CHECK(now.it_value.tv_sec >= 500 && now.it_value.tv_sec <= 600 && now.it_interval.tv_sec == 12);
  CHECK(timer_gettime(timers[4], &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
  static const int signalling[] = {2, 4, 5};
  for (int i = 0; i < 3; i++) {
    CHECK(fired == i);
    arm(timers[signalling[i]], 0, 1000000, 0);
    while (fired == i)
      CHECK(getpid() > 0);
    CHECK(payload == 1000 + signalling[i]);
  }
  CHECK(syscall(SYS_timer_delete, 0) == -1 && errno == EINVAL);
  static const int left[] = {1, 2, 4, 5};
  for (int i = 0; i < 4; i++)
    CHECK(timer_delete(timers[left[i]]) == 0);
  success();
}
