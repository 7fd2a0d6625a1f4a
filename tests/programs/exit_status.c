/* exit_status N: exits with N; or, when N is negative, ends by signal -N. */
#include <signal.h>

#include "check.h"

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int end = atoi(argv[1]);
  ready();
  wait_for_go();
  say("ending\n");
  if (end >= 0)
    exit(end);
  raise(-end);
  FAIL("signal %d did not end this", -end);
}
