/* The request on its way to a member that is traced: core/carrier.h. */
#include <linux/ptrace.h>
#include <signal.h>
#include <string.h>

#include "core/carrier.h"
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

bool carrier_send(const struct checkpoint *c, struct member *member) {
  int carrier = carrier_choose(member->tid);
  if (carrier > 0 && request_send(c, member, carrier) == 0)
    member->carrier = carrier;
  return carrier != 0;
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
