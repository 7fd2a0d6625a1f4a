/* Clocks that count from the boot, and waits until a time of theirs. They have gone on by the seconds that
 * are the argument; without one by as much as the wall clock at the most. */
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

#include "check.h"

#define TOLERANCE 600

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct timespec end;

static time_t seconds(clockid_t clock) {
  struct timespec now, kernel;
  CHECK(clock_gettime(clock, &now) == 0 && syscall(SYS_clock_gettime, clock, &kernel) == 0);
  CHECK(kernel.tv_sec - now.tv_sec <= TOLERANCE && kernel.tv_sec >= now.tv_sec);
  return now.tv_sec;
}

static void *sleep_until(void *unused) {
  (void)unused;
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == 0);
  return NULL;
}

static void *wait_until(void *unused) {
  (void)unused;
  pthread_condattr_t attributes;
  pthread_cond_t never;
  CHECK(pthread_condattr_init(&attributes) == 0);
  CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
  CHECK(pthread_cond_init(&never, &attributes) == 0);
  CHECK(pthread_mutex_lock(&lock) == 0);
  int result;
  do
    result = pthread_cond_timedwait(&never, &lock, &end);
  while (result == 0);
  CHECK(result == ETIMEDOUT && pthread_mutex_unlock(&lock) == 0);
  return NULL;
}

int main(int argc, char **argv) {
  static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW,
                                     CLOCK_MONOTONIC_COARSE};
  time_t ahead = argc > 1 ? atol(argv[1]) : 0, before[4];
  pthread_t waiting[2];
  for (int i = 0; i < 4; i++)
    before[i] = seconds(clocks[i]);
  CHECK(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
  end.tv_sec += ahead;
  if (ahead) {
    CHECK(pthread_create(&waiting[0], NULL, sleep_until, NULL) == 0);
    CHECK(pthread_create(&waiting[1], NULL, wait_until, NULL) == 0);
  }

  ready();
  wait_for_go();

  for (int i = 0; i < 4; i++) {
    time_t now = seconds(clocks[i]);
    CHECK(now >= before[i] + ahead && now <= before[i] + ahead + TOLERANCE);
  }
  struct timespec rest = {0, 1000000}, now;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  now.tv_nsec += 1000000;
  now.tv_sec += now.tv_nsec / 1000000000;
  now.tv_nsec %= 1000000000;
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL) == 0);
  CHECK(clock_nanosleep(CLOCK_BOOTTIME, 0, &rest, NULL) == 0);
  for (int i = 0; ahead && i < 2; i++)
    CHECK(pthread_join(waiting[i], NULL) == 0);
  success();
}
