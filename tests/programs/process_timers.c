/* Interval timers run on with what remained of them. */
#include <signal.h>
#include <sys/time.h>

#include "check.h"

static volatile sig_atomic_t fired;

static void on_alarm(int signal) {
  (void)signal;
  fired++;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  struct itimerval real = {.it_interval = {.tv_sec = 77}, .it_value = {.tv_sec = 1000}},
                   virtual = {.it_interval = {.tv_usec = 5000}, .it_value = {.tv_sec = 500}}, now;
  CHECK(setitimer(ITIMER_REAL, &real, NULL) == 0);
  CHECK(setitimer(ITIMER_VIRTUAL, &virtual, NULL) == 0);

  ready();
  wait_for_go();

  CHECK(getitimer(ITIMER_REAL, &now) == 0);
  CHECK(now.it_interval.tv_sec == 77 && now.it_value.tv_sec > 900 && now.it_value.tv_sec <= 1000);
  CHECK(getitimer(ITIMER_VIRTUAL, &now) == 0);
  CHECK(now.it_interval.tv_usec == 5000 && now.it_value.tv_sec > 400 && now.it_value.tv_sec <= 500);
  CHECK(getitimer(ITIMER_PROF, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_usec == 0);
  CHECK(fired == 0);
  real.it_value.tv_sec = 0;
  real.it_value.tv_usec = 1000;
  CHECK(setitimer(ITIMER_REAL, &real, NULL) == 0);
  while (fired == 0)
    CHECK(getpid() > 0);
  success();
}
