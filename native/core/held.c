#include "core/held.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <string.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "core/dir.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "core/waits.h"
#include "format/control.h"

enum {
  NAP_NS = 20000,
  PATIENCE_MS = 5000, /* for a thread to come to a trap, and to leave our handler, where hooks may run */
};

/* With the one that asks threads which wait for the first (preload/state.h). */
#define OUR_SIGNALS (3ull << (CKPT_CONTROL_SIGNAL - 1))

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

static bool is_ours(int signal) {
  return signal > 0 && (OUR_SIGNALS >> (signal - 1) & 1);
}

static void nap(void) {
  const struct timespec while_ = {.tv_nsec = NAP_NS};
  sys(SYS_(nanosleep), &while_, NULL);
}

static uint64_t now_ms(void) {
  struct timespec now = {0};
  sys(SYS_(clock_gettime), CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- What /proc says ---------------------------------------------------------------------------------- */

/* The stop is complete only once each of them stands still. */
long held_list(int32_t pid, struct held *all, size_t most) {
  struct dir dir;
  char path[64];
  struct text text = text_in(path, sizeof path);
  uint64_t tid;
  bool all_stopped = true;
  size_t count = 0;
  text_format(&text, "/proc/%d/task", (int64_t)pid);
  if (dir_open(&dir, AT_FDCWD, path) < 0)
    return 0;
  for (const char *name; count <= most && (name = dir_next(&dir));) {
    if (!text_is_decimal(name, &tid) || !proc_lives((int32_t)tid))
      continue;
    all_stopped &= proc_state((int32_t)tid) == 'T';
    if (count < most)
      all[count] = (struct held){.tid = (int32_t)tid, .state = LET_GO};
    count++;
  }
  dir_close(&dir);
  return !all_stopped ? 0 : count > most ? -E2BIG : (long)count;
}

static bool has_signal(const struct held *held, const char *set) {
  char status[4096];
  uint64_t signals = 0;
  return proc_read(held->tid, "status", status, sizeof status) > 0 && proc_field(status, set, 16, &signals) &&
         (signals & OUR_SIGNALS);
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
  uint64_t end = now_ms() + PATIENCE_MS;
  enum trap trap;
  while ((trap = trap_of(held, signal)) == TRAP_NONE && now_ms() < end && proc_lives(held->tid))
    nap();
  return trap;
}

/* Brings to a trap who runs: false when it does not come in time. It will: there is nothing to be done with
 * it before. */
static bool bring_to_trap(struct held *held) {
  int signal;
  if (held->state != COMING && held->state != RUNS)
    return true;
  if (wait_for_trap(held, &signal) == TRAP_NONE && proc_lives(held->tid))
    return false;
  if (held->state == COMING) {
    set_mask(held, held->mask);
    if (is_ours(held->signal))
      held->signal = 0;
  }
  held->state = HELD;
  return true;
}

void held_interrupt(struct held *all, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (all[i].state == COMING || all[i].state == RUNS)
      trace(PTRACE_INTERRUPT, all[i].tid, NULL, NULL);
  for (size_t i = 0; i < count; i++)
    bring_to_trap(&all[i]);
}

/* One that has ended is told of to its parent when its tracer has waited for it; which must not be done for a
 * child of ours, who has one wait for both. */
bool held_let_go(struct held *all, size_t count, int32_t parent_of) {
  bool every = true;
  held_interrupt(all, count);
  for (size_t i = 0; i < count; i++) {
    struct held *held = &all[i];
    if (held->state != HELD) {
      every &= held->state == LET_GO;
      continue;
    }
    if (trace(PTRACE_DETACH, held->tid, NULL, (void *)(uintptr_t)held->signal) < 0 && held->tid != parent_of)
      sys(SYS_(wait4), held->tid, NULL, WNOHANG | __WALL, NULL);
    held->state = LET_GO;
  }
  return every;
}

void held_reap(const struct held *all, size_t count, int32_t main_thread) {
  for (size_t i = 0; i < count; i++)
    if (all[i].tid != main_thread && !proc_lives(all[i].tid))
      sys(SYS_(wait4), all[i].tid, NULL, WNOHANG | __WALL, NULL);
}

/* ---- Taking hold -------------------------------------------------------------------------------------- */

long held_seize(struct held *all, size_t count, int *signal) {
  for (size_t i = 0; i < count; i++) {
    long result = trace(PTRACE_SEIZE, all[i].tid, NULL, (void *)PTRACE_O_TRACESYSGOOD);
    if (result < 0)
      return result == -ESRCH ? 0 : result;
    /* Who was stopped is in its trap by now; else it has been continued. */
    enum trap trap = trap_of(&all[i], signal);
    all[i].state = trap == TRAP_NONE ? RUNS : HELD;
    if (trap != TRAP_EVENT || *signal == SIGTRAP)
      return 0;
  }
  return count > 0;
}

bool held_load(struct held *all, size_t count) {
  int signal;
  uint64_t end = now_ms() + PATIENCE_MS;
  while (now_ms() < end && proc_lives(all->tid)) {
    if (has_signal(all, "SigCgt"))
      return true;
    if (count != 1)
      return false;
    go_on(all, PTRACE_SYSCALL);
    if (wait_for_trap(all, &signal) == TRAP_NONE) {
      all->state = RUNS;
      held_interrupt(all, count);
      return false;
    }
  }
  return false;
}

void held_go_on(struct held *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!is_in_handler(&all[i]))
      continue;
    go_on(&all[i], PTRACE_CONT);
    all[i].state = RUNS;
  }
}

/* Now that the control signal waits for it, and nothing else can come before that. */
static void let_come(struct held *held) {
  held->mask = mask_of(held);
  set_mask(held, ~OUR_SIGNALS);
  go_on(held, PTRACE_CONT);
  held->state = COMING;
}

static void look_at(struct held *held, bool watched) {
  int signal;
  if (held->state == HELD && has_signal(held, "SigPnd"))
    let_come(held);
  if (held->state == HELD || held->state == LET_GO)
    return;
  enum trap trap = trap_of(held, &signal);
  if (trap == TRAP_NONE)
    return;
  if (held->state == COMING && trap == TRAP_SIGNAL && is_ours(signal)) {
    set_mask(held, held->mask);
    held->state = RUNS;
  } else if (held->state == RUNS && trap == TRAP_CALL && !is_in_handler(held)) {
    held->state = HELD;
    return;
  }
  go_on(held, held->state == RUNS && watched ? PTRACE_SYSCALL : PTRACE_CONT);
}

void held_look(struct held *all, size_t count, bool watched) {
  for (size_t i = 0; i < count; i++)
    look_at(&all[i], watched);
}

bool held_all_stand(const struct held *all, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (all[i].state != HELD || has_signal(&all[i], "SigPnd"))
      return false;
  return true;
}

/* ---- Letting go --------------------------------------------------------------------------------------- */

/* A wait that the handler has put back in front of its `syscall` was in the kernel when the process stopped.
 * There it is to be for the end of the stop, too: a handler for SIGCONT then ends it, as it would have. The
 * kernel itself makes it again where none does. */
static void put_into_kernel(const struct held *held) {
  enum { ERESTARTSYS = 512, ERESTARTNOHAND = 514 };
  struct user_regs_struct regs;
  uint64_t code = 0;
  if (trace(PTRACE_GETREGS, held->tid, NULL, &regs) < 0 || regs.rax > UINT16_MAX ||
      trace(PTRACE_PEEKTEXT, held->tid, (void *)(uintptr_t)regs.rip, &code) < 0 || (code & 0xffff) != 0x050f)
    return;
  bool made_again = wait_is_made_again((uint32_t)regs.rax);
  if (!made_again && !wait_ends_with_eintr((uint32_t)regs.rax))
    return;
  regs.orig_rax = regs.rax;
  regs.rax = (unsigned long long)-(made_again ? ERESTARTSYS : ERESTARTNOHAND);
  regs.rip += 2;
  trace(PTRACE_SETREGS, held->tid, NULL, &regs);
}

/* True when it has left: it stands in the exit from rt_sigreturn, with the mask of the program. */
static bool has_left(struct held *held) {
  int signal;
  enum trap trap = trap_of(held, &signal);
  if (trap == TRAP_NONE)
    return !proc_lives(held->tid);
  if (trap == TRAP_CALL && !is_in_handler(held)) {
    put_into_kernel(held);
    return true;
  }
  go_on(held, PTRACE_SYSCALL);
  return false;
}

bool held_begin_leaving(struct held *all, size_t count) {
  bool any = false;
  for (size_t i = 0; i < count; i++) {
    if (all[i].state != HELD || !is_in_handler(&all[i]))
      continue;
    go_on(&all[i], PTRACE_SYSCALL);
    all[i].state = RUNS;
    any = true;
  }
  return any;
}

/* Those who do not come that far stop where they are. */
void held_wait_until_left(struct held *all, size_t count) {
  uint64_t end = now_ms() + PATIENCE_MS;
  bool inside = true;
  while (inside && now_ms() < end) {
    bool moved = inside = false;
    for (size_t i = 0; i < count; i++) {
      if (all[i].state != RUNS)
        continue;
      if (has_left(&all[i])) {
        all[i].state = HELD;
        moved = true;
      } else {
        inside = true;
      }
    }
    if (inside && !moved)
      nap();
  }
  held_interrupt(all, count);
}
