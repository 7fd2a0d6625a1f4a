/* loops NAME COUNT: nanoseconds per turn of a loop that libckpt.so must not slow down. */
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONTENDED = 100000 };

static double now(void) {
  struct timespec time;
  if (clock_gettime(CLOCK_MONOTONIC, &time))
    exit(1);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int turn_syscall(long i) {
  (void)i;
  return syscall(SYS_getppid) < 0;
}

static int turn_malloc(long i) {
  static void *held[256];
  size_t slot = (size_t)i % 256;
  free(held[slot]);
  held[slot] = malloc(16 + (size_t)(i * 7919) % 2000);
  if (!held[slot])
    return 1;
  *(volatile char *)held[slot] = 1;
  return 0;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int turn_lock(long i) {
  (void)i;
  return pthread_mutex_lock(&mutex) || pthread_mutex_unlock(&mutex);
}

static void *lock_often(void *count) {
  for (long turn = 0; turn < *(long *)count; turn++)
    if (turn_lock(turn))
      exit(1);
  return NULL;
}

/* Each of two threads does it as often; a turn of the loop is many of theirs. */
static int turn_contended(long i) {
  long count = CONTENDED;
  pthread_t threads[2];
  (void)i;
  for (int t = 0; t < 2; t++)
    if (pthread_create(&threads[t], NULL, lock_often, &count))
      return 1;
  for (int t = 0; t < 2; t++)
    if (pthread_join(threads[t], NULL))
      return 1;
  return 0;
}

static int turn_exec(long i) {
  extern char **environ;
  char *const arguments[] = {"loops", NULL};
  pid_t child;
  int status;
  (void)i;
  return posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) ||
         waitpid(child, &status, 0) != child || status;
}

static int turn_fork(long i) {
  (void)i;
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  int status;
  return child < 0 || waitpid(child, &status, 0) != child;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*turn)(long);
    long inside; /* turns in a turn */
  } loops[] = {{"syscall", turn_syscall, 1}, {"malloc", turn_malloc, 1},
               {"lock", turn_lock, 1},       {"contended", turn_contended, CONTENDED},
               {"fork", turn_fork, 1},       {"exec", turn_exec, 1}};
  if (argc == 1)
    return 0; /* what turn_exec starts */
  long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
  for (size_t i = 0; count > 0 && i < sizeof loops / sizeof *loops; i++) {
    if (strcmp(argv[1], loops[i].name) != 0)
      continue;
    double start = now();
    for (long turn = 0; turn < count; turn++)
      if (loops[i].turn(turn)) {
        fprintf(stderr, "loops: %s: %s\n", argv[1], strerror(errno));
        return 1;
      }
    printf("%.3f\n", (now() - start) / (double)count / (double)loops[i].inside);
    return 0;
  }
  fprintf(stderr, "usage: loops syscall|malloc|lock|contended|fork|exec COUNT\n");
  return 2;
}
