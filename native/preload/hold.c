/* Members that are stopped (SIGSTOP, ^Z) and stay so: the leader holds their threads (core/held.h). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/held.h"
#include "core/proc.h"
#include "core/sys.h"
#include "members.h"

bool is_stopped(int32_t pid) {
  return proc_state(pid) == 'T';
}

static long list_threads(struct checkpoint *c, struct member *member) {
  long count;
  for (size_t most = 16;; most *= 4) {
    member->held = arena_take(&c->arena, most * sizeof *member->held);
    if (!member->held)
      return -ENOMEM;
    count = held_list(member->pid, member->held, most);
    if (count != -E2BIG)
      break;
  }
  member->held_count = count > 0 ? (size_t)count : 0;
  return count;
}

/* Of a child of ours: has the program yet to hear of its stop? Once we trace it, wait() does not tell. */
static void look_whether_told(const struct checkpoint *c, struct member *member) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  if (member->parent == c->process.pid &&
      sys(SYS_(waitid), P_PID, member->pid, &info, WSTOPPED | WNOHANG | WNOWAIT, NULL) == 0 && info.si_pid)
    member->stop_status = (uint32_t)(info.si_status & 0xff) << 8 | 0x7f;
}

void hold_give_up(const struct checkpoint *c, struct member *member) {
  while (!held_let_go(member->held, member->held_count, member->parent == c->process.pid ? member->pid : 0))
    ;
  member->held_count = 0;
  member->stop_signal = 0;
  member->stop_status = 0;
  member->continued = false;
}

static long refuse(struct checkpoint *c, const struct member *member) {
  char name[32];
  proc_name(member->pid, name);
  return fail(c, -EOPNOTSUPP,
              "process %d (\"%s\") is stopped (SIGSTOP or ^Z), and cannot be saved so where ptrace is not "
              "allowed: let it go on first (kill -CONT %d)",
              (int64_t)member->pid, name, (int64_t)member->pid);
}

long hold_all(struct checkpoint *c, struct member *member, bool is_new) {
  int signal = 0;
  long result = list_threads(c, member);
  if (result > 0) {
    look_whether_told(c, member);
    result = held_seize(member->held, member->held_count, &signal);
    if (result < 0)
      refuse(c, member);
  }
  if (result <= 0) {
    hold_give_up(c, member);
    return result;
  }
  member->stop_signal = (uint32_t)signal;
  if (is_new) {
    held_begin_leaving(member->held, member->held_count);
    held_wait_until_left(member->held, member->held_count);
  } else {
    held_go_on(member->held, member->held_count);
  }
  return 1;
}

/* Sent by a member that did not stand still yet, or from outside, and not come to yet. */
static bool has_pending(int32_t tid, int signal) {
  char status[4096];
  uint64_t own = 0, shared = 0;
  return proc_read(tid, "status", status, sizeof status) > 0 && proc_field(status, "SigPnd", 16, &own) &&
         proc_field(status, "ShdPnd", 16, &shared) && (own | shared) >> (signal - 1) & 1;
}

long hold_late(struct checkpoint *c, enum stage stage) {
  bool any = false;
  for (size_t i = 0; i < c->job->members.count; i++) {
    struct member *member = member_at(c, i);
    if (member->held_count || member->stage < STAGE_JOINED || member->stage >= stage)
      continue;
    /* In this order: one that is pending becomes a stop. */
    if (!has_pending(member->pid, SIGSTOP) && !is_stopped(member->tid))
      continue;
    any = true;
    long result = hold_all(c, member, false);
    if (result < 0)
      return result;
  }
  return any;
}

/* Who is held takes no signal, and another stop would have taken this one away. */
static bool was_continued(const struct member *member) {
  for (size_t i = 0; i < member->held_count; i++)
    if (has_pending(member->held[i].tid, SIGCONT))
      return true;
  return false;
}

void hold_settle(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++) {
    struct member *member = member_at(c, i);
    if (!was_continued(member))
      continue;
    member->stop_signal = 0;
    member->stop_status = 0;
    member->continued = member->parent == c->process.pid;
  }
}

void hold_look(const struct member *member) {
  held_look(member->held, member->held_count, member->stage < STAGE_JOINING);
}

void hold_look_at_all(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++)
    hold_look(member_at(c, i));
}

bool hold_any(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++)
    if (member_at(c, i)->held_count)
      return true;
  return false;
}

void hold_before_thaw(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++)
    held_interrupt(member_at(c, i)->held, member_at(c, i)->held_count);
}

void hold_after_thaw(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++)
    held_begin_leaving(member_at(c, i)->held, member_at(c, i)->held_count);
  for (size_t i = 0; i < c->job->members.count; i++) {
    struct member *member = member_at(c, i);
    held_wait_until_left(member->held, member->held_count);
    hold_give_up(c, member);
  }
}
