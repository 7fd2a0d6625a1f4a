/* reseed [N] [MS]: says N random numbers, one every MS milliseconds. Copies that are restarted from one image
 * would all go on with the same ones; here each begins with a seed of its own.
 *
 *     gcc -Inative/include native/examples/reseed.c -o reseed
 *     LD_PRELOAD=$PWD/build/libckpt.so ./reseed 100 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "../include/ckpt.h"

static uint64_t state = 88172645463325252u;

/* getrandom is async-signal-safe on Linux: a hook may run inside a signal handler. */
static void reseed(void *argument) {
  uint64_t seed;
  (void)argument;
  if (getrandom(&seed, sizeof seed, 0) == sizeof seed && seed != 0)
    state = seed;
}

static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

int main(int argc, char **argv) {
  long count = argc > 1 ? atol(argv[1]) : 50;
  long ms = argc > 2 ? atol(argv[2]) : 100;
  struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  if (ckpt_hook && ckpt_hook(NULL, NULL, reseed, NULL) < 0)
    return 1;
  for (long i = 0; i < count; i++) {
    if (printf("%016lx\n", (unsigned long)next()) < 0 || fflush(stdout))
      return 1;
    nanosleep(&pause, NULL);
  }
  return puts("done") < 0 || fflush(stdout);
}
