/* recorder APPENDED BUFFERED COUNT: writes COUNT numbered records, each into two files: the one with
 * O_APPEND, a write for each, the other through stdio's buffer. The records go on by themselves, so that a
 * checkpoint meets them anywhere; after SIGUSR1, or with one more argument, as fast as they can. */
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "check.h"

static volatile sig_atomic_t hurry;

static void on_signal(int signal) {
  hurry = signal;
}

int main(int argc, char **argv) {
  CHECK(argc >= 4);
  hurry = argc > 4;
  signal(SIGUSR1, on_signal);
  int appended = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
  FILE *buffered = fopen(argv[2], "w");
  long count = atol(argv[3]);
  unsigned long state = 1;
  char line[64];
  CHECK(appended >= 0 && buffered);
  ready();
  for (long i = 0; i < count; i++) {
    int length = snprintf(line, sizeof line, "record %ld %lx\n", i, next_number(&state));
    CHECK(write(appended, line, (size_t)length) == length);
    CHECK(fputs(line, buffered) >= 0);
    struct timespec pause = {.tv_nsec = 20000};
    if (!hurry)
      nanosleep(&pause, NULL);
  }
  CHECK(fclose(buffered) == 0);
  success();
}
