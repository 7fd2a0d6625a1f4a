/* own_signal WHAT: does with SIGUSR2 what it likes, as any program may: handle, block, ignore, wait or reset.
 */
#include <signal.h>
#include <stdbool.h>

#include "check.h"

static volatile sig_atomic_t count;

static void on_signal(int signal) {
  (void)signal;
  count++;
}

static void set_mask(int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK(sigprocmask(how, &set, NULL) == 0);
}

/* The line "go" says that one more has been sent. */
static void expect(const char *what, int sent) {
  struct sigaction now;
  sigset_t set;
  int signal;
  CHECK(sigaction(SIGUSR2, NULL, &now) == 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  if (strcmp(what, "handle") == 0)
    CHECK(now.sa_handler == on_signal && count == sent);
  else if (strcmp(what, "block") == 0)
    CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR2) == 1 && count == 0);
  else if (strcmp(what, "ignore") == 0)
    CHECK(now.sa_handler == SIG_IGN && count == 0);
  else if (strcmp(what, "wait") == 0)
    CHECK(sigwait(&set, &signal) == 0 && signal == SIGUSR2 && count == 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  const char *what = argv[1];
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  if (strcmp(what, "ignore") == 0)
    action.sa_handler = SIG_IGN;
  if (strcmp(what, "reset") == 0)
    action.sa_handler = SIG_DFL;
  CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
  if (strcmp(what, "block") == 0 || strcmp(what, "wait") == 0)
    set_mask(SIG_BLOCK);
  ready();
  wait_for_go();
  expect(what, 1);
  say("SEEN\n");
  wait_for_go();
  expect(what, 2);
  if (strcmp(what, "block") == 0) {
    set_mask(SIG_UNBLOCK);
    CHECK(count == 1);
  }
  success();
}
