/* What the kernel keeps about the process beside its memory and its rights. */
#include "restorer/restorer.h"

#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>

enum {
  SIGNALS = 64,
  KILL = 9,
  CHILD = 17,
  STOP = 19,
  NO_STOPS = 1,     /* SA_NOCLDSTOP */
  NOTIFY_THREAD = 2 /* SIGEV_THREAD */
};

#ifndef ARCH_REQ_XCOMP_PERM
#define ARCH_GET_XCOMP_PERM 0x1022
#define ARCH_REQ_XCOMP_PERM 0x1023
#endif

static void control(struct plan *plan, unsigned long option, unsigned long value) {
  long error = sys(SYS_(prctl), option, value, 0, 0, 0);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_PRCTL, error, option, value);
}

void restorer_restore_mm(struct plan *plan) {
  long error = sys(SYS_(prctl), PR_SET_MM, PR_SET_MM_MAP, &plan->mm, sizeof plan->mm, 0);
  if (error < 0 && plan->mm.exe_fd != (uint32_t)-1) {
    /* Without privilege, or when the file may not be executed any more: /proc/PID/exe shows restart. */
    plan->mm.exe_fd = (uint32_t)-1;
    error = sys(SYS_(prctl), PR_SET_MM, PR_SET_MM_MAP, &plan->mm, sizeof plan->mm, 0);
  }
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_MM, error, 0, 0);
}

/* All but the report: it is the last to go. */
void restorer_close_files(struct plan *plan) {
  long error = 0;
  if (plan->report_fd > plan->first_own_fd)
    error = sys(SYS_(close_range), plan->first_own_fd, plan->report_fd - 1, 0);
  if (error == 0)
    error = sys(SYS_(close_range), plan->report_fd + 1, ~0u, 0);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_CLOSE, error, 0, 0);
}

/* POSIX locks go when any descriptor of the file is closed, so they are taken after the last of ours is. */
void restorer_take_locks(struct plan *plan) {
  for (uint32_t i = 0; i < plan->lock_count; i++) {
    const struct plan_lock *lock = &plan->locks[i];
    long error;
    if (lock->kind == CKPT_LOCK_FLOCK) {
      error = sys(SYS_(flock), lock->fd, (lock->exclusive ? 2 : 1) | 4);
    } else if (lock->kind == CKPT_LOCK_LEASE) {
      error = sys(SYS_(fcntl), lock->fd, F_SETLEASE, lock->exclusive ? F_WRLCK : F_RDLCK);
    } else {
      struct flock range = {.l_type = lock->exclusive ? F_WRLCK : F_RDLCK,
                            .l_whence = 0,
                            .l_start = (off_t)lock->start,
                            .l_len = (off_t)lock->length};
      error = sys(SYS_(fcntl), lock->fd, lock->kind == CKPT_LOCK_OFD ? F_OFD_SETLK : F_SETLK, &range);
    }
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_FILE_LOCK, error, lock->index, 0);
  }
}

void restorer_set_owners(struct plan *plan) {
  for (uint32_t i = 0; i < plan->owner_count; i++) {
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = restorer_id_now(plan, plan->owners[i].tid)};
    long error = sys(SYS_(fcntl), plan->owners[i].fd, F_SETOWN_EX, &owner);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_OWNER, error, (uint64_t)plan->owners[i].fd,
                    (uint64_t)plan->owners[i].tid);
  }
}

/* The kernel keeps what it has to say from the time when it was asked, which was before this was the program:
 * it is asked again. */
void restorer_read_again(struct plan *plan) {
  for (uint32_t i = 0; i < plan->position_count; i++)
    if (sys(SYS_(lseek), plan->positions[i].fd, 0, SEEK_SET) == 0)
      sys(SYS_(lseek), plan->positions[i].fd, plan->positions[i].position, SEEK_SET);
}

void restorer_ask_for_notifications(struct plan *plan) {
  for (uint32_t i = 0; i < plan->notification_count; i++) {
    const struct ckpt_notification *what = &plan->notifications[i].what;
    bool cookie = what->notify == NOTIFY_THREAD;
    struct {
      uint64_t value;
      int32_t signal, notify, pad[12];
    } event = {.value = cookie ? (uint64_t)what->cookie : what->value,
               .signal = cookie ? what->socket : (int32_t)what->signal,
               .notify = (int32_t)what->notify};
    long error = sys(SYS_(mq_notify), plan->notifications[i].fd, &event);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_NOTIFY, error, (uint64_t)plan->notifications[i].fd, 0);
  }
}

struct kernel_sigaction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};

static void set_actions(struct plan *plan) {
  struct kernel_sigaction actions[SIGNALS + 1];
  for (int i = 0; i <= SIGNALS; i++)
    actions[i] = (struct kernel_sigaction){0};
  for (uint32_t i = 0; i < plan->sigaction_count; i++) {
    const struct ckpt_sigaction *from = &plan->sigactions[i];
    actions[from->signal] = (struct kernel_sigaction){from->handler, from->flags, from->restorer, from->mask};
  }
  if (plan->quiet)
    actions[CHILD].flags |= NO_STOPS;
  /* Who had to end meanwhile has told us: to ignore it takes that back. */
  const struct kernel_sigaction ignore = {.handler = 1};
  long ignored = sys(SYS_(rt_sigaction), CHILD, &ignore, 0, 8);
  if (ignored < 0)
    restorer_fail(plan, PLAN_STEP_SIGACTION, ignored, CHILD, 0);
  for (uint64_t i = 1; i <= SIGNALS; i++) {
    if (i == KILL || i == STOP)
      continue;
    long error = sys(SYS_(rt_sigaction), i, &actions[i], 0, 8);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_SIGACTION, error, i, 0);
  }
}

static void set_limit(struct plan *plan, const struct ckpt_rlimit *from) {
  struct rlimit limit = {.rlim_cur = from->soft, .rlim_max = from->hard};
  long error = sys(SYS_(prlimit64), 0, from->resource, &limit, 0);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_RLIMIT, error, from->resource, 0);
}

static void set_limits(struct plan *plan) {
  for (uint32_t i = 0; i < plan->rlimit_count; i++)
    if (plan->rlimits[i].resource != RLIMIT_NPROC)
      set_limit(plan, &plan->rlimits[i]);
}

void restorer_limit_processes(struct plan *plan) {
  for (uint32_t i = 0; i < plan->rlimit_count; i++)
    if (plan->rlimits[i].resource == RLIMIT_NPROC)
      set_limit(plan, &plan->rlimits[i]);
}

/* The kernel refuses to be asked for a state that everyone has anyway. */
static void allow_states(struct plan *plan) {
  uint64_t allowed = 0;
  if (!plan->process.xcomp_perm || sys(SYS_(arch_prctl), ARCH_GET_XCOMP_PERM, &allowed) < 0)
    return; /* a kernel without dynamic states */
  for (uint64_t bit = 0; bit < 64; bit++) {
    if (!((plan->process.xcomp_perm & ~allowed) >> bit & 1))
      continue;
    long error = sys(SYS_(arch_prctl), ARCH_REQ_XCOMP_PERM, bit);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_XCOMP, error, bit, 0);
  }
}

/* Without it membarrier() fails, which who has registered does not expect. Quick while there is one thread.
 */
static void register_barriers(struct plan *plan) {
  for (uint32_t command = 1; command; command <<= 1) {
    if (!(plan->process.barriers & command))
      continue;
    long error = sys(SYS_(membarrier), command, 0, 0);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_BARRIER, error, command, 0);
  }
}

void restorer_restore_process(struct plan *plan) {
  set_actions(plan);
  set_limits(plan);
  allow_states(plan);
  register_barriers(plan);
  /* After all mapping is done: READ_IMPLIES_EXEC would have added to it. */
  sys(SYS_(personality), plan->process.personality);
  control(plan, PR_SET_TIMERSLACK, plan->process.timer_slack);
  control(plan, PR_SET_CHILD_SUBREAPER, plan->process.subreaper != 0);
  if (plan->process.merges)
    sys(SYS_(prctl), CKPT_PR_SET_MEMORY_MERGE, 1, 0, 0, 0); /* a hint */
  /* After all mapping is done, too. */
  if (plan->process.mdwe)
    control(plan, CKPT_PR_SET_MDWE, plan->process.mdwe);
}
