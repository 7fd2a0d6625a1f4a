/* In a restarted process: stops of children and of its own, once all threads are back and before any goes
 * on. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/sys.h"
#include "freeze.h"

/* Until it has stopped itself, or has ended. What the program has heard of before it is not told again. */
static void wait_for_stop(const struct ckpt_stopped *child) {
  siginfo_t info;
  long result;
  do {
    memset(&info, 0, sizeof info);
    result =
        sys(SYS_(waitid), P_PID, child->pid, &info, WSTOPPED | WEXITED | WCONTINUED | WNOWAIT | __WALL, NULL);
  } while (result == -EINTR);
  if (result == 0 && info.si_code == CLD_STOPPED && child->told)
    sys(SYS_(waitid), P_PID, child->pid, &info, WSTOPPED | WNOHANG, NULL);
}

void wait_for_stopped_children(void) {
  const struct ckpt_resume *resume = &ckpt_state.resume;
  const struct ckpt_stopped *children = (const struct ckpt_stopped *)resume->stopped;
  struct kernel_sigaction action;
  for (uint32_t i = 0; i < resume->stopped_count; i++)
    wait_for_stop(&children[i]);
  if (!resume->quiet || sys(SYS_(rt_sigaction), SIGCHLD, NULL, &action, sizeof action.mask) < 0)
    return;
  action.flags &= ~(uint64_t)SA_NOCLDSTOP;
  set_child_action(&action);
}

static bool is_pending(int signal) {
  return pending_signals() >> (signal - 1) & 1;
}

/* All signals are blocked here. SIGTSTP and its like do nothing where nobody could continue the program's
 * group; that it has been continued shows by the SIGCONT which then waits. */
static void stop_by(int signal) {
  const struct kernel_sigaction usual = {.handler = SIG_DFL};
  struct kernel_sigaction action;
  uint64_t set = 1ull << (signal - 1);
  if (sys(SYS_(rt_sigaction), signal, &usual, &action, sizeof action.mask) < 0)
    return;
  sys(SYS_(tgkill), sys(SYS_(getpid)), sys(SYS_(gettid)), signal);
  sys(SYS_(rt_sigprocmask), SIG_UNBLOCK, &set, NULL, sizeof set);
  sys(SYS_(rt_sigprocmask), SIG_BLOCK, &set, NULL, sizeof set);
  sys(SYS_(rt_sigaction), signal, &action, NULL, sizeof action.mask);
}

void stop_again(void) {
  int signal = (int)ckpt_state.resume.stop_signal;
  ckpt_state.resume.stop_signal = 0;
  if (!signal)
    return;
  if (signal != SIGSTOP)
    stop_by(signal);
  if (signal == SIGSTOP || !is_pending(SIGCONT))
    sys(SYS_(kill), sys(SYS_(getpid)), SIGSTOP);
}
