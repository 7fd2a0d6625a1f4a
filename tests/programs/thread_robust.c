/* thread_robust FILE: robust locks in a file that is mapped. One is held by the main thread; one by another,
 * while a third waits for it. None of them may hear that an owner has died. */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "asleep.h"
#include "check.h"

struct shared {
  pthread_mutex_t own, other;
};

static struct shared *shared;
static int pipe_ends[2];
static pthread_barrier_t barrier;
static pid_t waiter_tid;
static bool waiter_has_it;

static void *hold(void *argument) {
  char byte;
  CHECK(pthread_mutex_lock(&shared->other) == 0);
  pthread_barrier_wait(&barrier);
  CHECK(read(pipe_ends[0], &byte, 1) == 1);
  CHECK(!__atomic_load_n(&waiter_has_it, __ATOMIC_ACQUIRE));
  CHECK(pthread_mutex_unlock(&shared->other) == 0);
  return argument;
}

static void *wait_for_it(void *argument) {
  waiter_tid = (pid_t)syscall(SYS_gettid);
  pthread_barrier_wait(&barrier);
  CHECK(pthread_mutex_lock(&shared->other) == 0);
  __atomic_store_n(&waiter_has_it, true, __ATOMIC_RELEASE);
  CHECK(pthread_mutex_unlock(&shared->other) == 0);
  return argument;
}

static void make(pthread_mutex_t *mutex) {
  pthread_mutexattr_t attributes;
  CHECK(pthread_mutexattr_init(&attributes) == 0);
  CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
  CHECK(pthread_mutex_init(mutex, &attributes) == 0);
}

int main(int argc, char **argv) {
  pthread_t holder, waiter;
  CHECK(argc == 2);
  int fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0 && ftruncate(fd, sizeof *shared) == 0 && pipe(pipe_ends) == 0);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED);
  make(&shared->own);
  make(&shared->other);
  CHECK(pthread_mutex_lock(&shared->own) == 0 && pthread_barrier_init(&barrier, NULL, 3) == 0);
  CHECK(pthread_create(&holder, NULL, hold, NULL) == 0);
  CHECK(pthread_create(&waiter, NULL, wait_for_it, NULL) == 0);
  pthread_barrier_wait(&barrier);
  wait_until_asleep(waiter_tid);
  ready();
  wait_for_go();
  CHECK(pthread_mutex_trylock(&shared->other) == EBUSY);
  CHECK(write(pipe_ends[1], "", 1) == 1);
  CHECK(pthread_join(holder, NULL) == 0 && pthread_join(waiter, NULL) == 0 && waiter_has_it);
  CHECK(pthread_mutex_unlock(&shared->own) == 0);
  CHECK(pthread_mutex_trylock(&shared->own) == 0 && pthread_mutex_trylock(&shared->other) == 0);
  success();
}
