/* Overruns: what timer_getoverrun says of a signal that was taken before the checkpoint; and of a timer whose
 * signal nobody takes meanwhile all expirations are counted, in signals or in their overruns. */
#include <signal.h>
#include <time.h>

#include "check.h"

#define PERIOD 20000000l /* ns */
#define LOST 3           /* those that fall between two looks at the timer */

static sigset_t set;

static int take(timer_t *from) {
  siginfo_t info;
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1 && info.si_code == SI_TIMER);
  CHECK(info.si_value.sival_ptr == from);
  return info.si_overrun;
}

static void make(clockid_t clock, timer_t *timer) {
  struct sigevent event = {
      .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value = {.sival_ptr = timer}};
  CHECK(timer_create(clock, &event, timer) == 0);
}

static long now_ns(void) {
  struct timespec now;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(void) {
  timer_t quick, slow;
  CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 1) == 0);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  make(CLOCK_MONOTONIC, &quick);
  make(CLOCK_REALTIME, &slow);
  /* As if started in 1970: its signal comes at once and stands for several, and the next one is years away.
   */
  struct timespec now;
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
  long interval = (now.tv_sec * 1000000000 + now.tv_nsec) / 9 * 2; /* four and a half of them */
  struct itimerspec times = {.it_value = {0, 1},
                             .it_interval = {interval / 1000000000, interval % 1000000000}};
  CHECK(timer_settime(slow, TIMER_ABSTIME, &times, NULL) == 0);
  int before = take(&slow);
  CHECK(before == 4 && timer_getoverrun(slow) == before);
  times = (struct itimerspec){.it_value = {0, PERIOD}, .it_interval = {0, PERIOD}};
  CHECK(timer_settime(quick, 0, &times, NULL) == 0);
  long begin = now_ns();

  ready();
  wait_for_go();

  CHECK(timer_getoverrun(slow) == before);
  long counted = 0, last = 0;
  for (int signals = 0; signals < 4; signals++) {
    last = now_ns();
    counted += 1 + take(&quick);
  }
  long least = (last - begin) / PERIOD - LOST, most = (now_ns() - begin) / PERIOD + LOST;
  if (counted < least || counted > most)
    FAIL("%ld expirations instead of %ld to %ld", counted, least, most);
  success();
}
