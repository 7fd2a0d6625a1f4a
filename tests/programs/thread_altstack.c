/* Threads that have one alternate signal stack among them, as Varnish's do: their handler there ends the
 * program, so none of them ever uses it while another does. Each waits with a number of its own in its
 * registers. */
#include <pthread.h>
#include <signal.h>

#include "check.h"

enum { THREADS = 64 };

static char stack[64 * 1024];
static int pipe_ends[2];
static pthread_barrier_t barrier;

static void on_fault(int signal) {
  (void)signal;
  _exit(3);
}

static void share_stack(void) {
  stack_t shared = {.ss_sp = stack, .ss_size = sizeof stack}, now;
  CHECK(sigaltstack(&shared, NULL) == 0);
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && now.ss_flags == 0);
}

static void *work(void *argument) {
  char byte;
  share_stack();
  pthread_barrier_wait(&barrier);
  CHECK(read(pipe_ends[0], &byte, 1) == 1);
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && now.ss_size == sizeof stack);
  return argument;
}

int main(void) {
  pthread_t threads[THREADS];
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  CHECK(pipe(pipe_ends) == 0);
  CHECK(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
  share_stack();
  for (long i = 0; i < THREADS; i++)
    CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
  pthread_barrier_wait(&barrier);
  ready();
  wait_for_go();
  for (long i = 0; i < THREADS; i++)
    CHECK(write(pipe_ends[1], "", 1) == 1);
  for (long i = 0; i < THREADS; i++) {
    void *result;
    CHECK(pthread_join(threads[i], &result) == 0 && result == (void *)i);
  }
  success();
}
