/* Members that are stopped (SIGSTOP, ^Z) and stay so.
 *
 * A stopped process answers no signal. But a thread that is traced may be let go on without an end of the
 * stop: the kernel takes it back into that as soon as nobody traces it any more, and neither of the two is
 * anything that its parent hears of. So the leader holds all threads of such a member by ptrace from before
 * it is asked until the thaw. Each is only let go on when the control signal waits for it, with all others
 * blocked, so that it runs nothing of the program; and in the end it goes from call to call until it has left
 * our handler, and stops there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "core/dir.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "job.h"

enum {
  NAP_NS = 20000,
  PATIENCE_MS = 5000, /* for a thread to come to a trap, and to leave our handler, where hooks may run */
};

enum held_state {
  HELD,   /* stands still in a trap */
  COMING, /* on its way to the handler, with its signal mask changed */
  RUNS,   /* in the handler */
  LET_GO, /* is ours no more */
};

struct held {
  int32_t tid;
  enum held_state state;
  int signal; /* that it stands still for and has yet to get, or 0 */
  uint64_t mask;
};

#define OUR_SIGNALS (3ull << (CKPT_CONTROL_SIGNAL - 1)) /* with CKPT_OTHER_SIGNAL */

static struct held *held_at(const struct member *member, size_t i) {
  return (struct held *)member->held.entries + i;
}

static long trace(int request, int32_t tid, const void *address, const void *data) {
  return sys(SYS_(ptrace), request, tid, address, data);
}

static void go_on(struct held *held, int request) {
  trace(request, held->tid, NULL, (void *)(uintptr_t)held->signal);
  held->signal = 0;
}

static uint64_t mask_of(const struct held *held) {
  uint64_t mask = 0;
  return trace(PTRACE_GETSIGMASK, held->tid, (void *)sizeof mask, &mask) < 0 ? 0 : mask;
}

static void set_mask(const struct held *held, uint64_t mask) {
  trace(PTRACE_SETSIGMASK, held->tid, (void *)sizeof mask, &mask);
}

/* Blocks the signal that it is asked with: it is in our handler. */
static bool is_in_handler(const struct held *held) {
  return mask_of(held) >> (CKPT_CONTROL_SIGNAL - 1) & 1;
}

static void nap(void) {
  const struct timespec while_ = {.tv_nsec = NAP_NS};
  sys(SYS_(nanosleep), &while_, NULL);
}

/* ---- Traps -------------------------------------------------------------------------------------------- */

enum trap { TRAP_NONE, TRAP_SIGNAL, TRAP_CALL, TRAP_EVENT };

/* Is it in a new trap? A signal that it has stopped for is kept for it. */
static enum trap trap_of(struct held *held, int *signal) {
  enum { CALL = SIGTRAP | 0x80 };
  siginfo_t info;
  memset(&info, 0, sizeof info);
  long result = sys(SYS_(waitid), P_PID, held->tid, &info, WSTOPPED | WNOHANG | __WALL, NULL);
  if (result < 0 || info.si_pid == 0)
    return TRAP_NONE;
  *signal = info.si_status & 0x7f;
  if (info.si_status >> 8)
    return TRAP_EVENT;
  if (info.si_status == CALL)
    return TRAP_CALL;
  held->signal = *signal;
  return TRAP_SIGNAL;
}

static enum trap wait_for_trap(struct held *held, int *signal) {
  uint64_t end = now_ns(CLOCK_MONOTONIC) + PATIENCE_MS * 1000000ull;
  enum trap trap;
  while ((trap = trap_of(held, signal)) == TRAP_NONE && now_ns(CLOCK_MONOTONIC) < end) {
    char state = state_of(held->tid);
    if (!state || state == 'Z' || state == 'X')
      break;
    nap();
  }
  return trap;
}

/* One that has ended is told of to its parent when its tracer has waited for it; which must not be done for a
 * child of ours, who has one wait for both. */
static void let_go(const struct checkpoint *c, const struct member *member, struct held *held) {
  if (trace(PTRACE_DETACH, held->tid, NULL, (void *)(uintptr_t)held->signal) < 0 &&
      (member->parent != c->process.pid || held->tid != member->pid))
    sys(SYS_(wait4), held->tid, NULL, WNOHANG | __WALL, NULL);
  held->state = LET_GO;
}

static void let_all_go(const struct checkpoint *c, struct member *member) {
  for (size_t i = 0; i < member->held.count; i++)
    if (held_at(member, i)->state != LET_GO)
      let_go(c, member, held_at(member, i));
  member->held.count = 0;
  member->stop_signal = 0;
}

/* ---- Leaving our handler ------------------------------------------------------------------------------ */

/* True when it has left: it stands in the exit from rt_sigreturn, with the mask of the program. */
static bool has_left(struct held *held) {
  int signal;
  switch (trap_of(held, &signal)) {
  case TRAP_NONE:
    return false;
  case TRAP_CALL:
    if (!is_in_handler(held))
      return true;
    break;
  default:
    break;
  }
  go_on(held, PTRACE_SYSCALL);
  return false;
}

/* Lets all who are in our handler go from call to call until they have left it. */
static void leave_handlers(const struct member *member) {
  uint64_t end = now_ns(CLOCK_MONOTONIC) + PATIENCE_MS * 1000000ull;
  size_t inside = 0;
  for (size_t i = 0; i < member->held.count; i++) {
    struct held *held = held_at(member, i);
    if (held->state != HELD || !is_in_handler(held))
      continue;
    go_on(held, PTRACE_SYSCALL);
    held->state = RUNS;
    inside++;
  }
  while (inside && now_ns(CLOCK_MONOTONIC) < end) {
    size_t left = inside;
    for (size_t i = 0; i < member->held.count; i++) {
      struct held *held = held_at(member, i);
      char state = held->state == RUNS ? state_of(held->tid) : 'X';
      if (held->state != RUNS || (state && state != 'Z' && state != 'X' && !has_left(held)))
        continue;
      held->state = HELD;
      inside--;
    }
    if (left == inside)
      nap();
  }
}

/* Brings all who run to a trap again. */
static void interrupt(const struct member *member) {
  int signal;
  for (size_t i = 0; i < member->held.count; i++)
    if (held_at(member, i)->state == COMING || held_at(member, i)->state == RUNS)
      trace(PTRACE_INTERRUPT, held_at(member, i)->tid, NULL, NULL);
  for (size_t i = 0; i < member->held.count; i++) {
    struct held *held = held_at(member, i);
    if (held->state != COMING && held->state != RUNS)
      continue;
    wait_for_trap(held, &signal);
    if (held->state == COMING) {
      set_mask(held, held->mask);
      if (OUR_SIGNALS >> (held->signal - 1) & 1)
        held->signal = 0;
    }
    held->state = HELD;
  }
}

/* ---- Taking hold -------------------------------------------------------------------------------------- */

bool is_stopped(int32_t pid) {
  return state_of(pid) == 'T';
}

/* All living threads; the stop is complete only once each of them stands still. False: one does not. */
static long list_threads(struct checkpoint *c, struct member *member) {
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  char path[64];
  struct text text = text_in(path, sizeof path);
  uint64_t tid;
  bool all_stopped = true;
  if (!dir)
    return -ENOMEM;
  member->held.count = 0;
  text_format(&text, "/proc/%d/task", (int64_t)member->pid);
  if (dir_open(dir, AT_FDCWD, path) < 0)
    return 0;
  for (const char *name; (name = dir_next(dir));) {
    char state = text_is_decimal(name, &tid) ? state_of((int32_t)tid) : 0;
    if (!state || state == 'Z' || state == 'X')
      continue;
    all_stopped &= state == 'T';
    struct held *held = list_add(&c->arena, &member->held, sizeof *held);
    if (!held) {
      dir_close(dir);
      return -ENOMEM;
    }
    *held = (struct held){.tid = (int32_t)tid, .state = LET_GO};
  }
  dir_close(dir);
  return all_stopped && member->held.count;
}

/* Of a child of ours: has the program yet to hear of its stop? Once we trace it, wait() does not tell. */
static void look_whether_told(const struct checkpoint *c, struct member *member) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  if (member->parent == c->process.pid &&
      sys(SYS_(waitid), P_PID, member->pid, &info, WSTOPPED | WNOHANG | WNOWAIT, NULL) == 0 && info.si_pid)
    member->stop_status = (uint32_t)(info.si_status & 0xff) << 8 | 0x7f;
}

static long seize_all(struct checkpoint *c, struct member *member) {
  int signal;
  for (size_t i = 0; i < member->held.count; i++) {
    struct held *held = held_at(member, i);
    long result = trace(PTRACE_SEIZE, held->tid, NULL, (void *)PTRACE_O_TRACESYSGOOD);
    if (result == -ESRCH)
      return 0;
    if (result < 0) {
      char name[32];
      job_name(member->pid, name);
      return fail(
          c, -EOPNOTSUPP,
          "process %d (\"%s\") is stopped (SIGSTOP or ^Z), and cannot be saved so where ptrace is not "
          "allowed: let it go on first (kill -CONT %d)",
          (int64_t)member->pid, name, (int64_t)member->pid);
    }
    held->state = HELD;
    if (wait_for_trap(held, &signal) != TRAP_EVENT || signal == SIGTRAP)
      return 0; /* it has been continued meanwhile */
    member->stop_signal = (uint32_t)signal;
  }
  return 1;
}

long hold_all(struct checkpoint *c, struct member *member, bool is_new) {
  long result = list_threads(c, member);
  if (result > 0) {
    look_whether_told(c, member);
    result = seize_all(c, member);
  }
  if (result <= 0) {
    let_all_go(c, member);
    member->stop_status = 0;
    return result;
  }
  if (is_new)
    leave_handlers(member);
  for (size_t i = 0; i < member->held.count; i++) {
    struct held *held = held_at(member, i);
    if (is_new || !is_in_handler(held))
      continue;
    go_on(held, PTRACE_CONT);
    held->state = RUNS;
  }
  return 1;
}

/* ---- Letting them take part --------------------------------------------------------------------------- */

static bool is_asked(const struct held *held) {
  char status[4096];
  uint64_t pending = 0;
  return read_of(held->tid, "status", status, sizeof status) > 0 &&
         proc_field(status, "SigPnd", 16, &pending) && (pending & OUR_SIGNALS);
}

/* Now that the control signal waits for it, and nothing else can come before that. */
static void let_come(struct held *held) {
  held->mask = mask_of(held);
  set_mask(held, ~OUR_SIGNALS);
  go_on(held, PTRACE_CONT);
  held->state = COMING;
}

static void hold_look_at(struct held *held) {
  int signal;
  if (held->state == HELD && is_asked(held))
    let_come(held);
  if (held->state == HELD || held->state == LET_GO)
    return;
  enum trap trap = trap_of(held, &signal);
  if (trap == TRAP_NONE)
    return;
  if (held->state == COMING && trap == TRAP_SIGNAL && (OUR_SIGNALS >> (signal - 1) & 1)) {
    set_mask(held, held->mask);
    held->state = RUNS;
  }
  go_on(held, PTRACE_CONT);
}

void hold_look(const struct member *member) {
  for (size_t i = 0; i < member->held.count; i++)
    hold_look_at(held_at(member, i));
}

static struct member *member_at(const struct checkpoint *c, size_t i) {
  return (struct member *)c->job->members.entries + i;
}

void hold_look_at_all(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++)
    hold_look(member_at(c, i));
}

bool hold_any(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++)
    if (member_at(c, i)->held.count)
      return true;
  return false;
}

void hold_before_thaw(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++)
    interrupt(member_at(c, i));
}

void hold_after_thaw(const struct checkpoint *c) {
  for (size_t i = 0; i < c->job->members.count; i++) {
    struct member *member = member_at(c, i);
    leave_handlers(member);
    interrupt(member); /* those who did not come that far stop where they are */
    let_all_go(c, member);
  }
}
