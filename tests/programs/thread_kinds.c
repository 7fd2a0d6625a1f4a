/* Threads of unusual kinds, and what they hold: mutexes that know their owner, a barrier, a result nobody has
 * asked for yet, CPUs, policies and priorities of their own, a tiny alternate stack, and threads without TLS.
 */
#include <linux/futex.h>
#include <linux/ioprio.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

enum { IDLE = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0) };

static pthread_mutex_t checking, recursive, robust, abandoned;
static pthread_barrier_t barrier;
static sem_t go, at_work;
static pthread_mutex_t *const all[] = {&checking, &recursive, &robust, &abandoned};

static void make_mutexes(void) {
  static const int types[] = {PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_NORMAL,
                              PTHREAD_MUTEX_NORMAL};
  for (int i = 0; i < 4; i++) {
    pthread_mutexattr_t kind;
    CHECK(pthread_mutexattr_init(&kind) == 0 && pthread_mutexattr_settype(&kind, types[i]) == 0);
    CHECK(pthread_mutexattr_setrobust(&kind, i < 2 ? PTHREAD_MUTEX_STALLED : PTHREAD_MUTEX_ROBUST) == 0);
    CHECK(pthread_mutex_init(all[i], &kind) == 0);
  }
}

static void wait_for_all_to_go(void) {
  CHECK(sem_post(&at_work) == 0 && sem_wait(&go) == 0);
}

/* Ends with the robust mutex, after the checkpoint: the kernel's list must know that. */
static void *end_with_mutex(void *unused) {
  CHECK(pthread_mutex_lock(&robust) == 0);
  wait_for_all_to_go();
  return unused;
}

static void *end_early(void *mutex) {
  if (mutex)
    CHECK(pthread_mutex_lock(mutex) == 0);
  return (void *)4711;
}

static void *meet(void *unused) {
  CHECK(sem_post(&at_work) == 0);
  int result = pthread_barrier_wait(&barrier);
  CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
  return unused;
}

static void *detached(void *unused) {
  CHECK(pthread_detach(pthread_self()) == 0);
  wait_for_all_to_go();
  CHECK(sem_post(&at_work) == 0);
  return unused;
}

static size_t last_cpu(const cpu_set_t *set) {
  size_t last = 0;
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, set))
      last = cpu;
  return last;
}

static void *choose(void *unused) {
  cpu_set_t one, now;
  struct sched_param param = {0};
  CHECK(sched_getaffinity(0, sizeof now, &now) == 0);
  CPU_ZERO(&one);
  CPU_SET(last_cpu(&now), &one);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &param) == 0); /* musl has no such function */
  CHECK(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IDLE) == 0);
  CHECK(prctl(PR_SET_TIMERSLACK, 123456, 0, 0, 0) == 0);
  wait_for_all_to_go();
  CHECK(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) == IDLE);
  CHECK(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == 123456);
  CHECK(sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&one, &now));
  CHECK(syscall(SYS_sched_getscheduler, 0) == SCHED_BATCH);
  return unused;
}

/* As little as the kernel takes: what the handler itself needs must fit beside the frame. */
static void *on_tiny_stack(void *unused) {
  unsigned long least = getauxval(AT_MINSIGSTKSZ);
  stack_t stack = {.ss_size = least > 2048 ? least : 2048}, now;
  CHECK((stack.ss_sp = malloc(stack.ss_size)) && sigaltstack(&stack, NULL) == 0);
  wait_for_all_to_go();
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack.ss_sp && now.ss_size == stack.ss_size);
  return unused;
}

/* ---- Threads that libc knows nothing of -------------------------------------------------------------------
 */

struct bare {
  int go, ended;
  pid_t tid;
  char stack[16384] __attribute__((aligned(16)));
};

static struct bare with_own, without;

static long bare_call(long number, long a, long b, long c) {
  long result;
  register long d __asm__("r10") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(d)
                   : "rcx", "r11", "memory");
  return result;
}

/* Nothing of libc, nor a stack protector, which is in the TLS. */
__attribute__((no_stack_protector)) static int run_bare(void *argument) {
  struct bare *self = argument;
  while (!__atomic_load_n(&self->go, __ATOMIC_ACQUIRE))
    bare_call(SYS_futex, (long)&self->go, FUTEX_WAIT_PRIVATE, 0);
  __atomic_store_n(&self->ended, bare_call(SYS_gettid, 0, 0, 0) == self->tid ? 1 : -1, __ATOMIC_RELEASE);
  bare_call(SYS_futex, (long)&self->ended, FUTEX_WAKE_PRIVATE, 1);
  return (int)bare_call(SYS_exit, 0, 0, 0);
}

static void start_bare(struct bare *bare, int flags) {
  int tid = clone(run_bare, bare->stack + sizeof bare->stack,
                  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                      CLONE_PARENT_SETTID | flags,
                  bare, &bare->tid, NULL);
  CHECK(tid > 0);
}

static void end_bare(struct bare *bare) {
  __atomic_store_n(&bare->go, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, &bare->go, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  while (!__atomic_load_n(&bare->ended, __ATOMIC_ACQUIRE))
    syscall(SYS_futex, &bare->ended, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  CHECK(bare->ended == 1);
}

/* -----------------------------------------------------------------------------------------------------------
 */

int main(void) {
  enum { AT_WORK = 5 };
  pthread_t with_mutex, early, abandoner, at_barrier, single, chooser, tiny;
  void *result;
  make_mutexes();
  CHECK(sem_init(&go, 0, 0) == 0 && sem_init(&at_work, 0, 0) == 0);
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
  CHECK(pthread_mutex_lock(&checking) == 0);
  CHECK(pthread_mutex_lock(&recursive) == 0 && pthread_mutex_lock(&recursive) == 0);
  CHECK(pthread_create(&with_mutex, NULL, end_with_mutex, NULL) == 0);
  CHECK(pthread_create(&early, NULL, end_early, NULL) == 0);
  CHECK(pthread_create(&abandoner, NULL, end_early, &abandoned) == 0);
  CHECK(pthread_create(&at_barrier, NULL, meet, NULL) == 0);
  CHECK(pthread_create(&single, NULL, detached, NULL) == 0);
  CHECK(pthread_create(&chooser, NULL, choose, NULL) == 0);
  CHECK(pthread_create(&tiny, NULL, on_tiny_stack, NULL) == 0);
  CHECK(pthread_join(abandoner, &result) == 0 && result == (void *)4711);
  start_bare(&with_own, 0);
  start_bare(&without, CLONE_SETTLS);
  for (int i = 0; i < AT_WORK; i++)
    CHECK(sem_wait(&at_work) == 0);
  ready();
  wait_for_go();

  CHECK(pthread_mutex_lock(&checking) == EDEADLK && pthread_mutex_unlock(&checking) == 0);
  CHECK(pthread_mutex_unlock(&recursive) == 0 && pthread_mutex_unlock(&recursive) == 0);
  CHECK(pthread_mutex_unlock(&recursive) == EPERM);
  CHECK(pthread_mutex_lock(&abandoned) == EOWNERDEAD && pthread_mutex_consistent(&abandoned) == 0);
  int met = pthread_barrier_wait(&barrier);
  CHECK(met == 0 || met == PTHREAD_BARRIER_SERIAL_THREAD);
  for (int i = 0; i < AT_WORK - 1; i++)
    CHECK(sem_post(&go) == 0);
  CHECK(pthread_mutex_lock(&robust) == EOWNERDEAD && pthread_mutex_consistent(&robust) == 0);
  CHECK(sem_wait(&at_work) == 0); /* the detached one */
  CHECK(pthread_join(early, &result) == 0 && result == (void *)4711);
  CHECK(pthread_join(with_mutex, NULL) == 0 && pthread_join(at_barrier, NULL) == 0);
  CHECK(pthread_join(chooser, NULL) == 0 && pthread_join(tiny, NULL) == 0);
  end_bare(&with_own);
  end_bare(&without);
  success();
}
