/* Threads that come and go all the time: joined, detached, ended by pthread_exit, by pthread_cancel and by a
 * bare exit of ones that libc knows nothing of. Each adds what it was given to a sum, which nobody may do
 * twice or not at all. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

enum { MAKERS = 3, STACK = 16384 };

static bool stop;
static sem_t detached_ends[MAKERS], begun;
static unsigned long sums[MAKERS], wanted[MAKERS];

static void add(unsigned long maker, unsigned long value) {
  __atomic_fetch_add(&sums[maker], value, __ATOMIC_RELAXED);
}

struct task {
  unsigned long maker, value;
  int ended;
};

static void *joined(void *argument) {
  struct task *task = argument;
  add(task->maker, task->value);
  return (void *)(task->value * 3);
}

static void *leaving(void *argument) {
  struct task *task = argument;
  add(task->maker, task->value);
  pthread_exit((void *)(task->value * 3));
}

static void *detached(void *argument) {
  struct task *task = argument;
  add(task->maker, task->value);
  CHECK(sem_post(&detached_ends[task->maker]) == 0);
  return NULL;
}

static void cancelled_add(void *argument) {
  struct task *task = argument;
  add(task->maker, task->value);
}

static void *cancelled(void *argument) {
  pthread_cleanup_push(cancelled_add, argument);
  for (;;)
    pause();
  pthread_cleanup_pop(0);
  return NULL;
}

/* Without TLS, so without libc's calls, which know errno. */
__attribute__((no_stack_protector)) static int bare(void *argument) {
  struct task *task = argument;
  long result;
  add(task->maker, task->value);
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
  return (int)result;
}

static void make_bare(struct task *task, char *stack) {
  task->ended = 1;
  int tid = clone(bare, stack + STACK,
                  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                      CLONE_CHILD_CLEARTID,
                  task, NULL, NULL, &task->ended);
  CHECK(tid > 0);
  while (__atomic_load_n(&task->ended, __ATOMIC_ACQUIRE))
    syscall(SYS_futex, &task->ended, 0 /* FUTEX_WAIT */, 1, NULL, NULL, 0);
}

static void *make(void *argument) {
  static void *(*const kinds[])(void *) = {joined, leaving, detached, cancelled};
  unsigned long maker = (unsigned long)argument, state = 4711 + maker;
  char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stack != MAP_FAILED);
  for (unsigned long turn = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); turn++) {
    struct task task = {.maker = maker, .value = next_number(&state) >> 8};
    unsigned long kind = turn % 5;
    CHECK(turn != 5 || sem_post(&begun) == 0);
    pthread_t thread;
    void *result;
    wanted[maker] += task.value;
    if (kind == 4) {
      make_bare(&task, stack);
      continue;
    }
    CHECK(pthread_create(&thread, NULL, kinds[kind], &task) == 0);
    if (kind == 2) {
      CHECK(pthread_detach(thread) == 0);
      CHECK(sem_wait(&detached_ends[maker]) == 0);
      continue;
    }
    CHECK(kind != 3 || pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == (kind == 3 ? PTHREAD_CANCELED : (void *)(task.value * 3)));
    if (kind == 3 && sums[maker] != wanted[maker])
      add(maker, task.value); /* cancelled before it began */
    CHECK(sums[maker] == wanted[maker]);
  }
  return NULL;
}

int main(void) {
  pthread_t makers[MAKERS];
  CHECK(sem_init(&begun, 0, 0) == 0);
  for (unsigned long i = 0; i < MAKERS; i++) {
    CHECK(sem_init(&detached_ends[i], 0, 0) == 0);
    CHECK(pthread_create(&makers[i], NULL, make, (void *)i) == 0);
  }
  for (int i = 0; i < MAKERS; i++)
    CHECK(sem_wait(&begun) == 0);
  ready();
  wait_for_go();
  __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
  for (int i = 0; i < MAKERS; i++)
    CHECK(pthread_join(makers[i], NULL) == 0 && sums[i] == wanted[i]);
  success();
}
