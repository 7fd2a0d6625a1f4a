/* Threads of a program that has forbidden itself to start any more, as HAProxy's workers do. */
#include <pthread.h>
#include <sys/resource.h>

#include "check.h"

enum { THREADS = 3 };

static int pipe_ends[2], numbers[THREADS];

static void *work(void *argument) {
  char byte;
  CHECK(read(pipe_ends[0], &byte, 1) == 1);
  return argument;
}

int main(void) {
  pthread_t threads[THREADS], one_more;
  struct rlimit limit = {0};
  CHECK(pipe(pipe_ends) == 0);
  for (int i = 0; i < THREADS; i++)
    CHECK(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
  CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
  ready();
  wait_for_go();
  CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0);
  CHECK(getuid() == 0 || pthread_create(&one_more, NULL, work, NULL) == EAGAIN);
  for (int i = 0; i < THREADS; i++)
    CHECK(write(pipe_ends[1], "", 1) == 1);
  for (int i = 0; i < THREADS; i++) {
    void *result;
    CHECK(pthread_join(threads[i], &result) == 0 && result == &numbers[i]);
  }
  success();
}
