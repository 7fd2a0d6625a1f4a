/* Signal mask, actions with flags and masks, and the alternate stack. */
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "check.h"

static volatile sig_atomic_t seen;
static char stack[64 * 1024];
static uintptr_t handler_stack;

static void on_signal(int signal, siginfo_t *info, void *context) {
  (void)context;
  seen = signal == info->si_signo ? signal : -1;
  handler_stack = (uintptr_t)__builtin_frame_address(0);
}

/* What the kernel holds, not what libc remembers. */
struct kernel_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  unsigned long mask;
};

int main(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  CHECK(sigaddset(&action.sa_mask, SIGTERM) == 0);
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  CHECK(sigaction(SIGRTMIN + 3, &action, NULL) == 0);
  CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, alternate_now;
  CHECK(sigaltstack(&alternate, NULL) == 0);
  sigset_t mask, mask_now;
  CHECK(sigemptyset(&mask) == 0 && sigaddset(&mask, SIGINT) == 0 && sigaddset(&mask, SIGRTMAX) == 0);
  CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
  struct kernel_action before[65], now[65];
  memset(before, 0, sizeof before);
  memset(now, 0, sizeof now);
  for (int i = 1; i <= 64; i++)
    CHECK(syscall(SYS_rt_sigaction, i, NULL, &before[i], 8) == 0);

  ready();
  wait_for_go();

  for (int i = 1; i <= 64; i++) {
    CHECK(syscall(SYS_rt_sigaction, i, NULL, &now[i], 8) == 0);
    if (memcmp(&now[i], &before[i], sizeof now[i]) != 0)
      FAIL("the action of signal %d changed", i);
  }
  CHECK(sigprocmask(SIG_SETMASK, NULL, &mask_now) == 0);
  for (int i = 1; i <= 64; i++)
    if (sigismember(&mask, i) >= 0)
      CHECK(sigismember(&mask_now, i) == sigismember(&mask, i));
  CHECK(sigaltstack(NULL, &alternate_now) == 0);
  CHECK(alternate_now.ss_sp == stack && alternate_now.ss_size == sizeof stack && alternate_now.ss_flags == 0);
  CHECK(raise(SIGUSR1) == 0 && seen == SIGUSR1);
  CHECK(handler_stack >= (uintptr_t)stack && handler_stack < (uintptr_t)(stack + sizeof stack));
  CHECK(raise(SIGRTMIN + 3) == 0 && seen == SIGRTMIN + 3);
  CHECK(raise(SIGHUP) == 0);
  success();
}
