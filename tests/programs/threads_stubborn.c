/* A second thread that blocks every signal by a raw system call, libc's own included. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "check.h"

static pthread_barrier_t barrier;

static void *wait_too(void *nothing) {
  unsigned long all = ~0ul;
  CHECK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all) == 0);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return nothing;
}

int main(void) {
  pthread_t thread;
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
  CHECK(pthread_create(&thread, NULL, wait_too, NULL) == 0);
  CHECK(pthread_setname_np(thread, "the-second") == 0);
  pthread_barrier_wait(&barrier);
  ready();
  wait_for_go();
  pthread_barrier_wait(&barrier);
  CHECK(pthread_join(thread, NULL) == 0);
  success();
}
