/* count_until FILE: counts, a number every few milliseconds, until there is such a file. Says done. */
#include "check.h"

int main(int argc, char **argv) {
  CHECK(argc == 2);
  for (long i = 1; i == 1 || access(argv[1], F_OK) != 0; i++) {
    CHECK(printf("%ld\n", i) > 0 && fflush(stdout) == 0);
    usleep(5000);
  }
  CHECK(puts("done") >= 0 && fflush(stdout) == 0);
  return 0;
}
