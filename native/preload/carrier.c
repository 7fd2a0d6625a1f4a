/* The request on its way to a thread that is traced. Another thread may call exec at any moment, which ends
 * the one that stands still and gives its id to the new program. So what is sent to the id is a signal that
 * does nothing there; when this very thread is about to get it, it becomes the request. */
#include <linux/ptrace.h>
#include <signal.h>
#include <string.h>

#include "core/proc.h"
#include "core/sys.h"
#include "members.h"

static siginfo_t info_of(const struct checkpoint *c, int signal) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = signal;
  info.si_code = CKPT_CONTROL_CODE;
  info.si_pid = c->process.pid;
  info.si_value.sival_ptr = (void *)c->job->cookie;
  return info;
}

long request_send(const struct checkpoint *c, const struct member *member, int signal) {
  siginfo_t info = info_of(c, signal);
  return sys(SYS_(rt_tgsigqueueinfo), member->pid, member->tid, signal, &info);
}

void carrier_send(const struct checkpoint *c, struct member *member) {
  static const int carriers[] = {SIGURG, SIGWINCH, SIGCHLD};
  char status[4096];
  uint64_t blocked = 0;
  if (proc_read(member->tid, "status", status, sizeof status) <= 0 ||
      !proc_field(status, "SigBlk", 16, &blocked))
    return;
  for (size_t i = 0; i < sizeof carriers / sizeof *carriers && !member->carrier; i++)
    if (!(blocked >> (carriers[i] - 1) & 1) && request_send(c, member, carriers[i]) == 0)
      member->carrier = carriers[i];
}

bool carrier_has_come(const struct checkpoint *c, const struct member *member) {
  siginfo_t info;
  return sys(SYS_(ptrace), PTRACE_GETSIGINFO, member->tid, 0, &info) == 0 &&
         info.si_signo == member->carrier && info.si_code == CKPT_CONTROL_CODE &&
         info.si_value.sival_ptr == (void *)c->job->cookie;
}

bool carrier_becomes_request(const struct checkpoint *c, const struct member *member) {
  siginfo_t info = info_of(c, CKPT_CONTROL_SIGNAL);
  return sys(SYS_(ptrace), PTRACE_SETSIGINFO, member->tid, 0, &info) == 0;
}
