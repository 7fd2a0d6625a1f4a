/* SIGCHLD while the leader traces members. Where it has no handler its action is left alone: to set that
 * drops one that waits, blocked. What has come in vain is dropped in the end. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/sys.h"
#include "members.h"

/* A child whose stop the program has yet to hear of. */
static bool find_stopped(const struct checkpoint *c, siginfo_t *info) {
  memset(info, 0, sizeof *info);
  for (size_t i = 0; i < member_count(c); i++)
    if (member_at(c, i)->stop_status) {
      info->si_signo = SIGCHLD;
      info->si_code = CLD_STOPPED;
      info->si_pid = member_at(c, i)->pid;
      info->si_status = (int)member_at(c, i)->stop_status >> 8;
      return true;
    }
  return sys(SYS_(waitid), P_ALL, 0, info, WSTOPPED | WNOHANG | WNOWAIT, NULL) == 0 && info->si_pid;
}

static void set_quiet(const struct quiet *quiet, uint64_t flags) {
  struct kernel_sigaction action = quiet->action;
  action.flags |= flags;
  if (quiet->hears && is_handled(&action))
    set_child_action(&action);
}

long quiet_begin(const struct checkpoint *c, struct quiet *quiet) {
  siginfo_t info;
  quiet->was_stopped = find_stopped(c, &info);
  long result = sys(SYS_(rt_sigaction), SIGCHLD, NULL, &quiet->action, sizeof quiet->action.mask);
  quiet->hears = result == 0 && quiet->action.handler != SIG_IGN && !(quiet->action.flags & SA_NOCLDSTOP);
  quiet->was_pending = pending_signals() >> (SIGCHLD - 1) & 1;
  set_quiet(quiet, SA_NOCLDSTOP);
  return result;
}

void quiet_end(const struct checkpoint *c, const struct quiet *quiet) {
  siginfo_t info;
  set_quiet(quiet, 0);
  if (quiet->hears && !is_handled(&quiet->action) && !quiet->was_pending)
    drop_child_trap();
  if (quiet->hears && !quiet->was_stopped && find_stopped(c, &info))
    queue_for_process(&info);
}
