/* loops syscall|malloc|fork COUNT: nanoseconds per turn of a loop that libckpt.so must not slow down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
  } loops[] = {{"syscall", turn_syscall}, {"malloc", turn_malloc}, {"fork", turn_fork}};
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
    printf("%.3f\n", (now() - start) / (double)count);
    return 0;
  }
  fprintf(stderr, "usage: loops syscall|malloc|fork COUNT\n");
  return 2;
}
