/* Tells the name of each signal that comes; SIGTERM ends it with status 7. */
#include <signal.h>

#include "check.h"

int main(void) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGWINCH, SIGCONT};
  sigset_t all;
  CHECK(sigemptyset(&all) == 0);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    CHECK(sigaddset(&all, signals[i]) == 0);
  CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
  ready();
  for (;;) {
    int signal;
    CHECK(sigwait(&all, &signal) == 0);
    char line[64];
    snprintf(line, sizeof line, "got SIG%s\n", sigabbrev_np(signal));
    say(line);
    if (signal == SIGTERM)
      return 7;
  }
}
