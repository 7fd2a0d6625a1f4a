/* Overruns: what timer_getoverrun says of a signal that was taken before the checkpoint; and of a timer whose
 * signal nobody takes meanwhile all expirations are counted, in signals or in their overruns: at least those
 * of the time in which the program is known to have run, which what lies between an image and its restart may
 * add to. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

#include "check.h"

#define PERIOD 100000000l /* ns */
#define BEFORE 5          /* of them, at least, before the checkpoint */
#define LOST 3            /* those that fall between two looks at the timer */

static sigset_t set;

static int take(timer_t *from) {
  siginfo_t info;
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1 && info.si_code == SI_TIMER);
  CHECK(info.si_value.sival_ptr == from);
  return info.si_overrun;
}

/* As if started in 1970: its signal comes at once and stands for several, and the next one is years away. */
static int start_long_ago(timer_t timer) {
  struct timespec now;
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
  long interval = (now.tv_sec * 1000000000 + now.tv_nsec) / 9 * 2; /* four and a half of them */
  struct itimerspec times = {.it_value = {0, 1},
                             .it_interval = {interval / 1000000000, interval % 1000000000}};
  return timer_settime(timer, TIMER_ABSTIME, &times, NULL);
}

static sem_t started, go_on;
static timer_t threads_own;

/* A timer that signals another thread than the main one; two more signals of that number wait for the thread.
 */
static void *in_thread(void *unused) {
  struct sigevent event = {
      .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 2, .sigev_value = {.sival_int = 3}};
  sigset_t own;
  siginfo_t info;
  CHECK(sigemptyset(&own) == 0 && sigaddset(&own, SIGRTMIN + 2) == 0);
  event._sigev_un._tid = gettid();
  CHECK(timer_create(CLOCK_REALTIME, &event, &threads_own) == 0 && start_long_ago(threads_own) == 0);
  CHECK(sigwaitinfo(&own, &info) == SIGRTMIN + 2 && info.si_overrun == 4);
  for (int i = 1; i <= 2; i++)
    CHECK(pthread_sigqueue(pthread_self(), SIGRTMIN + 2, (union sigval){.sival_int = i}) == 0);
  CHECK(sem_post(&started) == 0);
  CHECK(sem_wait(&go_on) == 0);
  for (int i = 1; i <= 2; i++)
    CHECK(sigwaitinfo(&own, &info) == SIGRTMIN + 2 && info.si_value.sival_int == i);
  CHECK(sigpending(&own) == 0 && !sigismember(&own, SIGRTMIN + 2));
  return unused;
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
  sigset_t blocked;
  CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 1) == 0);
  blocked = set;
  CHECK(sigaddset(&blocked, SIGRTMIN + 2) == 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
  make(CLOCK_MONOTONIC, &quick);
  make(CLOCK_REALTIME, &slow);
  CHECK(start_long_ago(slow) == 0);
  int before = take(&slow);
  CHECK(before == 4 && timer_getoverrun(slow) == before);
  pthread_t thread;
  CHECK(sem_init(&started, 0, 0) == 0 && sem_init(&go_on, 0, 0) == 0);
  CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0);
  CHECK(sem_wait(&started) == 0);
  struct itimerspec times = (struct itimerspec){.it_value = {0, PERIOD}, .it_interval = {0, PERIOD}};
  long begin = now_ns(), saved = begin;
  CHECK(timer_settime(quick, 0, &times, NULL) == 0);
  while (saved < begin + BEFORE * PERIOD) {
    usleep(PERIOD / 1000);
    saved = now_ns();
  }

  ready();
  wait_for_go();

  long back = now_ns();
  CHECK(timer_getoverrun(slow) == before);
  CHECK(timer_getoverrun(threads_own) == before);
  CHECK(sem_post(&go_on) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  long counted = 0, last = 0;
  for (int signals = 0; signals < 4; signals++) {
    last = now_ns();
    counted += 1 + take(&quick);
  }
  long least = (saved - begin + last - back) / PERIOD - LOST, most = (now_ns() - begin) / PERIOD + LOST;
  if (counted < least || counted > most)
    FAIL("%ld expirations instead of %ld to %ld", counted, least, most);
  success();
}
