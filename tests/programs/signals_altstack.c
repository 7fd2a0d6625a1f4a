/* A checkpoint that comes while a handler runs on the alternate stack. */
#include <signal.h>

#include "check.h"

static char stack[64 * 1024];

static void on_signal(int signal) {
  char here;
  (void)signal;
  CHECK(&here >= stack && &here < stack + sizeof stack);
  ready();
  wait_for_go();
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && (now.ss_flags & SS_ONSTACK));
  sigset_t mask;
  CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR1) == 1);
  errno = 5;
}

int main(void) {
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, now;
  CHECK(sigaltstack(&alternate, NULL) == 0);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  CHECK(raise(SIGUSR1) == 0);
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == 0);
  success();
}
