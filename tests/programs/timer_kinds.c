/* Timers of every clock and every kind of notification; what waits of them, with the overruns that were
 * counted meanwhile. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>

#include "check.h"

#define SOON_SIGNAL (SIGRTMIN + 1) /* blocked: taken by sigwaitinfo */
#define LATE_SIGNAL (SIGRTMIN + 2)
#define MOST 16
#define HOUR 3600

static sem_t called, threads_ready, threads_go[2];
static int sum_called;
static clockid_t own_clocks[2];
static timer_t own_timers[2];

static struct itimerspec times_of(timer_t timer) {
  struct itimerspec times;
  CHECK(timer_gettime(timer, &times) == 0);
  return times;
}

static void arm(timer_t timer, time_t value, long value_ns, long interval_ns) {
  struct itimerspec times = {.it_value = {value, value_ns}, .it_interval = {0, interval_ns}};
  CHECK(timer_settime(timer, 0, &times, NULL) == 0);
}

static timer_t make(clockid_t clock, int notify, int signal, int payload, pid_t tid) {
  struct sigevent event = {
      .sigev_notify = notify, .sigev_signo = signal, .sigev_value = {.sival_int = payload}};
  event._sigev_un._tid = tid;
  timer_t timer;
  CHECK(timer_create(clock, &event, &timer) == 0);
  return timer;
}

static void on_call(union sigval value) {
  __atomic_fetch_add(&sum_called, value.sival_int, __ATOMIC_SEQ_CST);
  CHECK(sem_post(&called) == 0);
}

static timer_t make_calling(int payload) {
  struct sigevent event = {
      .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_call, .sigev_value = {.sival_int = payload}};
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  return timer;
}

static void wait_for(sem_t *semaphore) {
  while (sem_wait(semaphore) < 0)
    CHECK(errno == EINTR);
}

static void use_time(clockid_t clock, long ms) {
  struct timespec begin, now;
  CHECK(clock_gettime(clock, &begin) == 0);
  do
    CHECK(clock_gettime(clock, &now) == 0);
  while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ms);
}

/* A timer of its own CPU time whose signal comes to it. One thread uses more of it than the other. */
static void *use_own_time(void *number) {
  long i = (long)number;
  siginfo_t info;
  sigset_t late;
  CHECK(sigemptyset(&late) == 0 && sigaddset(&late, LATE_SIGNAL) == 0);
  CHECK(pthread_getcpuclockid(pthread_self(), &own_clocks[i]) == 0);
  own_timers[i] = make(CLOCK_THREAD_CPUTIME_ID, i ? SIGEV_THREAD_ID : SIGEV_SIGNAL, LATE_SIGNAL, 300 + (int)i,
                       (pid_t)syscall(SYS_gettid));
  use_time(CLOCK_THREAD_CPUTIME_ID, 2 + i);
  arm(own_timers[i], HOUR, 0, 0);
  CHECK(sem_post(&threads_ready) == 0);
  wait_for(&threads_go[i]);
  /* Only this thread's time counts. */
  struct itimerspec before = times_of(own_timers[i]);
  use_time(CLOCK_THREAD_CPUTIME_ID, 5);
  struct itimerspec after = times_of(own_timers[i]);
  CHECK((before.it_value.tv_sec - after.it_value.tv_sec) * 1000 +
            (before.it_value.tv_nsec - after.it_value.tv_nsec) / 1000000 >=
        4);
  arm(own_timers[i], 0, 1000000, 0);
  use_time(CLOCK_THREAD_CPUTIME_ID, 20);
  CHECK(sigwaitinfo(&late, &info) == LATE_SIGNAL && info.si_value.sival_int == 300 + i);
  CHECK(sem_post(&threads_ready) == 0);
  return NULL;
}

int main(void) {
  static const clockid_t clocks[] = {
      CLOCK_REALTIME,           CLOCK_MONOTONIC,         CLOCK_BOOTTIME,       CLOCK_TAI,
      CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM};
  enum { CLOCKS = sizeof clocks / sizeof *clocks };
  pthread_t threads[2];
  sigset_t blocked, soon;
  timer_t timers[CLOCKS];
  bool there[CLOCKS];
  CHECK(sigemptyset(&blocked) == 0 && sigaddset(&blocked, SOON_SIGNAL) == 0);
  soon = blocked;
  CHECK(sigaddset(&blocked, LATE_SIGNAL) == 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
  CHECK(sem_init(&called, 0, 0) == 0 && sem_init(&threads_ready, 0, 0) == 0 &&
        sem_init(&threads_go[0], 0, 0) == 0 && sem_init(&threads_go[1], 0, 0) == 0);

  for (int i = 0; i < CLOCKS; i++) {
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SOON_SIGNAL, .sigev_value = {.sival_int = 100 + i}};
    there[i] = timer_create(clocks[i], &event, &timers[i]) == 0;
    CHECK(there[i] || i >= 6); /* these take a privilege and a device */
    if (there[i])
      arm(timers[i], HOUR + i, 0, 7000);
  }
  for (long i = 0; i < 2; i++) {
    CHECK(pthread_create(&threads[i], NULL, use_own_time, (void *)i) == 0);
    wait_for(&threads_ready);
  }
  timer_t calling[2] = {make_calling(1000), make_calling(2000)};
  arm(calling[0], HOUR, 0, 0);
  timer_t none = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);
  arm(none, HOUR, 0, 9);
  /* One that waits with its signal, one that nobody can keep up with. */
  timer_t once = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SOON_SIGNAL, 200, 0);
  arm(once, 0, 1, 0);
  timer_t fast = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, LATE_SIGNAL, 201, 0);
  arm(fast, 0, 1, 1000);

  ready();
  wait_for_go();

  siginfo_t info;
  CHECK(sigwaitinfo(&soon, &info) == SOON_SIGNAL && info.si_value.sival_int == 200);
  CHECK(info.si_code == SI_TIMER && timer_getoverrun(once) == 0);
  struct itimerspec times = times_of(once);
  CHECK(times.it_value.tv_sec == 0 && times.it_value.tv_nsec == 0);
  sigset_t late;
  CHECK(sigemptyset(&late) == 0 && sigaddset(&late, LATE_SIGNAL) == 0);
  CHECK(sigwaitinfo(&late, &info) == LATE_SIGNAL && info.si_value.sival_int == 201 && info.si_overrun > 0);
  CHECK(timer_delete(fast) == 0);
  static const struct timespec at_once;
  while (sigtimedwait(&late, &info, &at_once) == LATE_SIGNAL)
    CHECK(info.si_value.sival_int == 201);
  for (int i = 0; i < CLOCKS; i++) {
    if (!there[i])
      continue;
    times = times_of(timers[i]);
    CHECK(times.it_value.tv_sec > HOUR - 600 && times.it_value.tv_sec <= HOUR + i);
    CHECK(times.it_interval.tv_nsec == 7000);
    arm(timers[i], 0, 1000000, 0);
    if (i == 4 || i == 5)
      use_time(clocks[i], 20);
    CHECK(sigwaitinfo(&soon, &info) == SOON_SIGNAL && info.si_value.sival_int == 100 + i);
  }
  times = times_of(none);
  CHECK(times.it_value.tv_sec > HOUR - 600 && times.it_interval.tv_nsec == 9);
  times = times_of(calling[0]);
  CHECK(times.it_value.tv_sec > HOUR - 600);
  for (int i = 0; i < 2; i++)
    arm(calling[i], 0, 1000000, 0);
  for (int i = 0; i < 2; i++)
    wait_for(&called);
  CHECK(sum_called == 3000);
  for (int i = 0; i < 2; i++) {
    CHECK(sem_post(&threads_go[i]) == 0);
    wait_for(&threads_ready);
    CHECK(pthread_join(threads[i], NULL) == 0);
  }
  success();
}
