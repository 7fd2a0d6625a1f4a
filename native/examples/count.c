/* count [N] [MS]: counts to N (default 50), one number every MS milliseconds (default 100), says done. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long number(const char *word, long least) {
  char *end;
  long value = strtol(word, &end, 10);
  if (*word == 0 || *end || value < least) {
    fprintf(stderr, "count: not a number: %s\nusage: count [N] [MS]\n", word);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  long last = argc > 1 ? number(argv[1], 1) : 50;
  long ms = argc > 2 ? number(argv[2], 0) : 100;
  if (argc > 3) {
    fprintf(stderr, "usage: count [N] [MS]\n");
    return 2;
  }
  struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  for (long i = 1; i <= last; i++) {
    if (printf("%ld\n", i) < 0 || fflush(stdout))
      return 1;
    nanosleep(&pause, NULL);
  }
  return puts("done") < 0 || fflush(stdout);
}
