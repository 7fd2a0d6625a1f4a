/* threads N [elsewhere]: N threads that compute, sleep, take turns at a mutex, wait on a condition, a
 * semaphore and in read, block signals and have signals waiting. Each knows its id, its name, its
 * thread-local storage and its mask. "elsewhere": the main thread blocks SIGUSR2 and the first of the others
 * takes it. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>

#include "check.h"
#include "queue.h"

enum { MOST = 4096 };

struct worker {
  pthread_t thread;
  long number;
  pid_t tid;
  long rounds;
};

static struct worker workers[MOST];
static pthread_barrier_t barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int pipe_ends[2];
static long total;
static bool stop, elsewhere;
static __thread long mine;

static bool stopped(void) {
  return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

static void take_turn(void) {
  mine++;
  CHECK(pthread_mutex_lock(&mutex) == 0);
  total++;
  CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void compute(void) {
  while (!stopped())
    take_turn();
}

/* Nobody may end its sleeps early. */
static void sleep_often(void) {
  const struct timespec nap = {.tv_nsec = 1000000};
  while (!stopped()) {
    CHECK(nanosleep(&nap, NULL) == 0);
    take_turn();
  }
}

static void wait_for_condition(void) {
  CHECK(pthread_mutex_lock(&mutex) == 0);
  while (!stop)
    CHECK(pthread_cond_wait(&condition, &mutex) == 0);
  CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void wait_for_semaphore(void) {
  CHECK(sem_wait(&semaphore) == 0);
}

static void wait_for_byte(void) {
  char byte;
  CHECK(read(pipe_ends[0], &byte, 1) == 1);
}

/* The signal waits for this thread alone, since before the checkpoint. */
static void wait_for_signal(void) {
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 2);
  while (!stopped())
    sched_yield();
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 2);
  CHECK(info.si_value.sival_int == 4711);
}

static void *work(void *argument) {
  static void (*const kinds[])(void) = {compute,       sleep_often,    wait_for_condition, wait_for_semaphore,
                                        wait_for_byte, wait_for_signal};
  struct worker *self = argument;
  char name[16], wanted[16];
  sigset_t all, mask;
  sigfillset(&all);
  if (elsewhere && self->number == 0)
    sigdelset(&all, SIGUSR2);
  self->tid = (pid_t)syscall(SYS_gettid);
  snprintf(wanted, sizeof wanted, "worker-%ld", self->number);
  CHECK(pthread_setname_np(pthread_self(), wanted) == 0);
  CHECK(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
  if (self->number % 6 == 5)
    queue_to_self(SIGRTMIN + 2, 4711);
  pthread_barrier_wait(&barrier);
  kinds[self->number % 6]();
  CHECK(self->tid == (pid_t)syscall(SYS_gettid));
  CHECK(pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, wanted) == 0);
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR1) == 1);
  self->rounds = mine;
  return self;
}

int main(int argc, char **argv) {
  long count = argc > 1 ? atol(argv[1]) : 6;
  CHECK(count >= 1 && count <= MOST);
  elsewhere = argc > 2 && strcmp(argv[2], "elsewhere") == 0;
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  CHECK(!elsewhere || pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
  CHECK(pipe(pipe_ends) == 0 && sem_init(&semaphore, 0, 0) == 0);
  CHECK(pthread_barrier_init(&barrier, NULL, (unsigned)count + 1) == 0);
  for (long i = 0; i < count; i++) {
    workers[i].number = i;
    CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
  }
  pthread_barrier_wait(&barrier);
  ready();
  wait_for_go();
  CHECK(pthread_mutex_lock(&mutex) == 0);
  __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
  CHECK(pthread_cond_broadcast(&condition) == 0);
  CHECK(pthread_mutex_unlock(&mutex) == 0);
  long rounds = 0;
  for (long i = 0; i < count; i++)
    CHECK(sem_post(&semaphore) == 0 && write(pipe_ends[1], "", 1) == 1);
  for (long i = 0; i < count; i++) {
    void *result;
    CHECK(pthread_join(workers[i].thread, &result) == 0 && result == &workers[i]);
    rounds += workers[i].rounds;
  }
  CHECK(rounds == total);
  success();
}
