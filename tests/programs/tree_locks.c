/* What processes lock for each other, while somebody holds it and somebody waits for it: process-shared
 * mutexes (plain, robust, with priority inheritance), a read-write lock, a condition, a barrier, semaphores
 * with and without a name, a futex, record locks on a file. A child waits at each when the program is saved.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "asleep.h"
#include "check.h"

enum { STEPS = 9 };

struct shared {
  pthread_mutex_t plain, robust, heir, guard;
  pthread_rwlock_t rwlock;
  pthread_cond_t changed;
  pthread_barrier_t barrier;
  sem_t semaphore;
  unsigned futex;
  int stage;        /* under guard */
  int owner_died;   /* what the waiter for the robust mutex got */
  int order[STEPS]; /* who came through, a turn each */
  int came;
};

static struct shared *all;
static sem_t *named;
static int file;

static void make_mutex(pthread_mutex_t *mutex, int robust, int protocol) {
  pthread_mutexattr_t attributes;
  CHECK(pthread_mutexattr_init(&attributes) == 0);
  CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_mutexattr_setrobust(&attributes, robust) == 0);
  CHECK(pthread_mutexattr_setprotocol(&attributes, protocol) == 0);
  CHECK(pthread_mutex_init(mutex, &attributes) == 0);
}

static void make_all(void) {
  pthread_rwlockattr_t rwlock;
  pthread_condattr_t condition;
  pthread_barrierattr_t barrier;
  all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(all != MAP_FAILED);
  make_mutex(&all->plain, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
  make_mutex(&all->guard, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
  make_mutex(&all->robust, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
  make_mutex(&all->heir, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT);
  CHECK(pthread_rwlockattr_init(&rwlock) == 0 &&
        pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED) == 0 &&
        pthread_rwlock_init(&all->rwlock, &rwlock) == 0);
  CHECK(pthread_condattr_init(&condition) == 0 &&
        pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED) == 0 &&
        pthread_cond_init(&all->changed, &condition) == 0);
  CHECK(pthread_barrierattr_init(&barrier) == 0 &&
        pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED) == 0 &&
        pthread_barrier_init(&all->barrier, &barrier, 2) == 0);
  CHECK(sem_init(&all->semaphore, 1, 0) == 0);
}

static void pass(int step) {
  all->order[__atomic_fetch_add(&all->came, 1, __ATOMIC_SEQ_CST)] = step;
}

static int lock_range(int command, short type, off_t start) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 10};
  return fcntl(file, command, &lock);
}

/* Waits for one of them, and goes. */
static void wait_at(int step) {
  alarm(300); /* should the others be gone without a word */
  switch (step) {
  case 0:
    CHECK(pthread_mutex_lock(&all->plain) == 0);
    break;
  case 1:
    all->owner_died = pthread_mutex_lock(&all->robust);
    break;
  case 2:
    CHECK(pthread_mutex_lock(&all->heir) == 0);
    break;
  case 3:
    CHECK(pthread_rwlock_wrlock(&all->rwlock) == 0);
    break;
  case 4:
    CHECK(pthread_mutex_lock(&all->guard) == 0);
    while (all->stage == 0)
      CHECK(pthread_cond_wait(&all->changed, &all->guard) == 0);
    CHECK(pthread_mutex_unlock(&all->guard) == 0);
    break;
  case 5:
    pthread_barrier_wait(&all->barrier);
    break;
  case 6:
    CHECK(sem_wait(&all->semaphore) == 0);
    break;
  case 7:
    CHECK(sem_wait(named) == 0);
    break;
  default:
    CHECK(lock_range(F_SETLKW, F_WRLCK, 5) == 0);
    break;
  }
  pass(step);
  _exit(step);
}

static void finish(pid_t child, int step, int order) {
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == step);
  CHECK(all->came == order + 1 && all->order[order] == step);
}

static pid_t start_holder(void) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    alarm(300);
    CHECK(pthread_mutex_lock(&all->robust) == 0);
    __atomic_store_n(&all->futex, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &all->futex, FUTEX_WAKE, 1, NULL, NULL, 0);
    while (__atomic_load_n(&all->futex, __ATOMIC_SEQ_CST) == 1)
      syscall(SYS_futex, &all->futex, FUTEX_WAIT, 1, NULL, NULL, 0);
    _exit(77); /* with the mutex */
  }
  while (__atomic_load_n(&all->futex, __ATOMIC_SEQ_CST) == 0)
    syscall(SYS_futex, &all->futex, FUTEX_WAIT, 0, NULL, NULL, 0);
  return pid;
}

int main(void) {
  char name[64], path[] = "locks-XXXXXX";
  pid_t children[STEPS];
  int status;
  make_all();
  file = mkstemp(path);
  CHECK(file >= 0);
  /* An id would come again, to one that was killed and has left its semaphore. */
  snprintf(name, sizeof name, "/ckpt-%s", path);
  named = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  CHECK(named != SEM_FAILED);
  pid_t holder = start_holder();
  CHECK(pthread_mutex_lock(&all->plain) == 0 && pthread_mutex_lock(&all->heir) == 0);
  CHECK(pthread_rwlock_rdlock(&all->rwlock) == 0 && lock_range(F_SETLK, F_WRLCK, 0) == 0);
  for (int step = 0; step < STEPS; step++) {
    children[step] = fork();
    CHECK(children[step] >= 0);
    if (children[step] == 0)
      wait_at(step);
    wait_until_asleep(children[step]);
  }

  ready();
  wait_for_go();

  CHECK(all->came == 0);
  CHECK(pthread_mutex_unlock(&all->plain) == 0);
  finish(children[0], 0, 0);
  __atomic_store_n(&all->futex, 2, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &all->futex, FUTEX_WAKE, 1, NULL, NULL, 0);
  CHECK(waitpid(holder, &status, 0) == holder && WIFEXITED(status) && WEXITSTATUS(status) == 77);
  finish(children[1], 1, 1);
  CHECK(all->owner_died == EOWNERDEAD);
  CHECK(pthread_mutex_unlock(&all->heir) == 0);
  finish(children[2], 2, 2);
  CHECK(pthread_rwlock_unlock(&all->rwlock) == 0);
  finish(children[3], 3, 3);
  CHECK(pthread_mutex_lock(&all->guard) == 0);
  all->stage = 1;
  CHECK(pthread_cond_signal(&all->changed) == 0 && pthread_mutex_unlock(&all->guard) == 0);
  finish(children[4], 4, 4);
  pthread_barrier_wait(&all->barrier);
  finish(children[5], 5, 5);
  CHECK(sem_post(&all->semaphore) == 0);
  finish(children[6], 6, 6);
  CHECK(sem_post(named) == 0);
  finish(children[7], 7, 7);
  CHECK(lock_range(F_SETLK, F_UNLCK, 0) == 0);
  finish(children[8], 8, 8);
  CHECK(sem_unlink(name) == 0 && unlink(path) == 0);
  success();
}
