/* SIGCHLD while the leader traces members. Where it has no handler its action is left alone: to set that
 * drops one that waits, blocked. What has come in vain is dropped in the end. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/sys.h"
#include "members.h"

/* A child of whose stop, or (WCONTINUED) of whose end of a stop, the program has yet to hear. */
static bool find_child(const struct checkpoint *c, int change, siginfo_t *info) {
  bool stopped = change == WSTOPPED;
  int code = stopped ? CLD_STOPPED : CLD_CONTINUED;
  memset(info, 0, sizeof *info);
  for (size_t i = 0; i < member_count(c); i++) {
    const struct member *member = member_at(c, i);
    if (stopped ? !member->stop_status : !member->continued)
      continue;
    info->si_signo = SIGCHLD;
    info->si_code = code;
    info->si_pid = member->pid;
    info->si_status = stopped ? (int)member->stop_status >> 8 : SIGCONT;
    return true;
  }
  return sys(SYS_(waitid), P_ALL, 0, info, change | WNOHANG | WNOWAIT, NULL) == 0 && info->si_pid &&
         info->si_code == code;
}

static void set_quiet(const struct quiet *quiet, uint64_t flags) {
  struct kernel_sigaction action = quiet->action;
  action.flags |= flags;
  if (quiet->hears && is_handled(&action))
    set_child_action(&action);
}

long quiet_begin(const struct checkpoint *c, struct quiet *quiet) {
  siginfo_t info;
  quiet->was_stopped = find_child(c, WSTOPPED, &info);
  quiet->was_continued = find_child(c, WCONTINUED, &info);
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
  if (quiet->hears && !quiet->was_stopped && find_child(c, WSTOPPED, &info))
    queue_for_process(&info);
  if (quiet->hears && !quiet->was_continued && find_child(c, WCONTINUED, &info))
    queue_for_process(&info);
}
