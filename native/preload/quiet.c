/* SIGCHLD while the leader holds children of its own. */
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

long quiet_begin(const struct checkpoint *c, struct quiet *quiet) {
  siginfo_t info;
  quiet->was_stopped = find_stopped(c, &info);
  long result = sys(SYS_(rt_sigaction), SIGCHLD, NULL, &quiet->action, sizeof quiet->action.mask);
  struct kernel_sigaction action = quiet->action;
  action.flags |= SA_NOCLDSTOP;
  return result < 0 ? result : sys(SYS_(rt_sigaction), SIGCHLD, &action, NULL, sizeof action.mask);
}

void quiet_end(const struct checkpoint *c, const struct quiet *quiet) {
  siginfo_t info;
  sys(SYS_(rt_sigaction), SIGCHLD, &quiet->action, NULL, sizeof quiet->action.mask);
  if (!(quiet->action.flags & SA_NOCLDSTOP) && !quiet->was_stopped && find_stopped(c, &info))
    sys(SYS_(rt_sigqueueinfo), sys(SYS_(getpid)), SIGCHLD, &info);
}
