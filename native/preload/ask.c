/* Asking members to join.
 *
 * A process that is about to exec must not be sent the control signal: the new program has no handler yet and
 * would die of it. So it is held by ptrace, which it cannot notice, while it is looked at and the signal is
 * queued: the signal is the first thing that it meets when it goes on. */
#include <errno.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/held.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "members.h"

static bool handles_control_signal(int32_t pid) {
  char status[4096];
  uint64_t caught = 0;
  return proc_read(pid, "status", status, sizeof status) > 0 && proc_field(status, "SigCgt", 16, &caught) &&
         (caught >> (CKPT_CONTROL_SIGNAL - 1) & 1);
}

static long refuse_member(struct checkpoint *c, const struct member *member, const char *why) {
  char name[32];
  proc_name(member->pid, name);
  return fail(c, -EOPNOTSUPP, "process %d (\"%s\") %s", (int64_t)member->pid, name, why);
}

static long queue(struct checkpoint *c, struct member *member) {
  long result = request_send(c, member, CKPT_CONTROL_SIGNAL);
  if (result == 0)
    member->stage = STAGE_ASKED;
  else if (result == -ESRCH)
    member->stage = STAGE_ENDED;
  return result == -ESRCH || result == 0
             ? 0
             : fail(c, result, "process %d cannot be asked: %s", (int64_t)member->pid, text_errno(result));
}

static void note_call(struct member *member) {
  char line[256];
  if (proc_read(member->tid, "syscall", line, sizeof line) > 0)
    known_call_parse(&member->call, line);
}

static long begin_stopped(struct checkpoint *c, struct member *member) {
  long result = hold_all(c, member, true);
  if (result <= 0)
    return result;
  /* It may have been stopped while it began another program. */
  if (!handles_control_signal(member->pid) && !held_load(member->held, member->held_count)) {
    hold_give_up(c, member);
    return 0;
  }
  note_call(member);
  return queue(c, member);
}

/* Nothing stops it before whom it has made by vfork lets it go on, and once it was traced it could not be let
 * go of. */
static bool waits_in_vfork(int32_t tid) {
  struct known_call call = {0};
  char line[256];
  if (proc_state(tid) != 'D' || proc_read(tid, "syscall", line, sizeof line) <= 0)
    return false;
  known_call_parse(&call, line);
  return call.known && (call.number == __NR_vfork || call.number == __NR_clone || call.number == __NR_clone3);
}

static long at_most_0(long result) {
  return result < 0 ? result : 0;
}

/* One that another thread's exec is just ending may not be traced. That other one has its id by now, which
 * may happen while it is seized. */
static long seize(struct checkpoint *c, struct member *member) {
  enum { REFUSALS = 5 };
  if (sys(SYS_(ptrace), PTRACE_SEIZE, member->tid, 0, 0) < 0)
    return !proc_lives(member->tid) || member->refusals++ < REFUSALS ? 0 : queue(c, member);
  if (sys(SYS_(ptrace), PTRACE_INTERRUPT, member->tid, 0, 0) == -ESRCH &&
      sys(SYS_(ptrace), PTRACE_INTERRUPT, member->pid, 0, 0) == 0)
    member->tid = member->pid;
  member->stage = STAGE_STOPPING;
  member->refusals = 0;
  return 0;
}

static bool stands_still(const struct checkpoint *c, uint64_t pid) {
  bool found = pid == (uint64_t)c->process.pid;
  for (size_t i = 0; i < member_count(c) && !found; i++) {
    const struct member *member = member_at(c, i);
    found = pid == (uint64_t)member->pid && member->stage >= STAGE_JOINED && member->stage <= STAGE_DONE;
  }
  return found;
}

/* Who traces it would have to let it go on with the signal. To be asked before it is held here. */
static bool waits_for_tracer(const struct checkpoint *c, const struct member *member) {
  char status[4096];
  uint64_t tracer = 0;
  return proc_read(member->tid, "status", status, sizeof status) > 0 &&
         proc_field(status, "TracerPid", 10, &tracer) && tracer && stands_still(c, tracer);
}

static long begin(struct checkpoint *c, struct member *member) {
  member->tid = living_thread(member->pid);
  if (member->tid == 0) {
    member->stage = STAGE_ENDED;
    return 0;
  }
  /* By now it may be another program, of a name that is to be left out. */
  long ignored = ignore_looks_at(c, member->pid, member->parent);
  if (ignored) {
    member->stage = STAGE_ENDED;
    return at_most_0(ignored);
  }
  const char *world = find_other_world(member->pid, false);
  if (world && living_thread(member->pid))
    return refuse_member(c, member, world);
  if (waits_for_tracer(c, member))
    return refuse_member(c, member, "is traced by another process of the program, which cannot be saved yet");
  bool handles_signal = handles_control_signal(member->pid);
  const char *obstacle = find_obstacle(c, member->pid, handles_signal);
  if (obstacle) {
    /* Between the looks it may have begun another program, or ended. */
    bool lasts = find_obstacle(c, member->pid, handles_control_signal(member->pid)) == obstacle;
    return lasts && living_thread(member->pid) ? refuse_member(c, member, obstacle) : 0;
  }
  if (!handles_signal && !is_stopped(member->tid))
    return 0;
  if (is_stopped(member->tid))
    return begin_stopped(c, member);
  if (waits_in_vfork(member->tid))
    return 0;
  return seize(c, member);
}

/* A child of ours that has ended stays for the program to wait for; of others the wait is not ours. */
static void let_go_of_ended(const struct checkpoint *c, struct member *member) {
  if (member->parent != c->process.pid || member->tid != member->pid)
    sys(SYS_(wait4), member->tid, NULL, WNOHANG | __WALL, NULL);
  member->stage = STAGE_ENDED;
}

/* It may have stopped because a signal of its own has come, which it gets all the same. */
static int signal_on_the_way(const siginfo_t *info) {
  bool is_event = info->si_status >> 8;
  return is_event ? 0 : info->si_status & 0x7f;
}

static long hold(struct checkpoint *c, struct member *member, bool give_up) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  long result = sys(SYS_(waitid), P_PID, member->tid, &info,
                    WSTOPPED | WEXITED | WNOWAIT | __WALL | (give_up ? 0 : WNOHANG), NULL);
  if (result == -EINTR)
    return 0;
  if (result < 0) {
    member->stage = STAGE_ENDED;
    return 0;
  }
  if (info.si_pid == 0)
    return 0;
  if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) {
    let_go_of_ended(c, member);
    return 0;
  }
  int signal = signal_on_the_way(&info);
  bool ignored = !give_up && ignore_looks_at(c, member->pid, member->parent) != 0; /* begin() goes into it */
  bool wanted = !give_up && !ignored && handles_control_signal(member->pid);
  bool has_come = member->carrier && signal == member->carrier && carrier_has_come(c, member);
  bool by_id = false;
  if (wanted && !member->carrier) {
    note_call(member);
    by_id = !carrier_send(c, member);
  }
  if (member->carrier && !has_come) {
    sys(SYS_(ptrace), PTRACE_CONT, member->tid, 0, signal);
    return 0;
  }
  member->stage = STAGE_NEW;
  if (by_id)
    result = queue(c, member);
  else if (wanted && has_come && carrier_becomes_request(c, member))
    member->stage = STAGE_ASKED;
  if (has_come)
    signal = member->stage == STAGE_ASKED ? CKPT_CONTROL_SIGNAL : 0;
  member->carrier = 0;
  sys(SYS_(ptrace), PTRACE_DETACH, member->tid, 0, signal);
  return result;
}

/* An exec has taken the request with it: it neither waits for the thread nor has brought it into the handler,
 * which blocks it. One who is asked twice says so once. */
static bool is_lost(const struct member *member) {
  char status[4096];
  uint64_t waiting = 0, blocked = 0;
  if (!proc_lives(member->tid) || proc_read(member->tid, "status", status, sizeof status) <= 0)
    return true;
  return proc_field(status, "SigPnd", 16, &waiting) && proc_field(status, "SigBlk", 16, &blocked) &&
         !((waiting | blocked) >> (CKPT_CONTROL_SIGNAL - 1) & 1);
}

long job_ask(struct checkpoint *c, struct member *member) {
  if (member->stage == STAGE_NEW)
    return begin(c, member);
  if (member->stage == STAGE_STOPPING)
    return hold(c, member, false);
  if (member->stage == STAGE_ASKED && !living_thread(member->pid))
    member->stage = STAGE_ENDED;
  if ((member->stage == STAGE_ASKED || member->stage == STAGE_JOINING) && !member->held_count &&
      is_lost(member))
    job_ask_anew(member);
  if (member->held_count)
    hold_look(member);
  else if ((member->stage == STAGE_ASKED || member->stage == STAGE_JOINING) && is_stopped(member->tid))
    return at_most_0(hold_all(c, member, false));
  return 0;
}

/* Once it is traced, only one that has stopped can be let go. */
void job_let_go(struct checkpoint *c, struct member *member) {
  while (member->stage == STAGE_STOPPING)
    (void)hold(c, member, true);
}
