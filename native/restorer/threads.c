/* Threads: each is cloned with its id, sets up what is its own, and waits until all is ready. */
#include "restorer/restorer.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "format/control.h"

static void set_up(struct plan *plan, const struct ckpt_thread *thread) {
  long error = sys(SYS_(arch_prctl), ARCH_SET_FS, thread->fs_base);
  if (error == 0)
    error = sys(SYS_(arch_prctl), ARCH_SET_GS, thread->gs_base);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_THREAD, error, thread->fs_base, thread->gs_base);
  sys(SYS_(set_tid_address), thread->clear_child_tid);
  /* Wanted whole: its size is part of the kernel's interface and has never been another. */
  error = sys(SYS_(set_robust_list), thread->robust_list, 24);
  if (error == 0)
    error = sys(SYS_(prctl), PR_SET_NAME, thread->name, 0, 0, 0);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_THREAD, error, thread->robust_list, 0);
  restorer_take_robust_locks(thread);
}

/* The kernel takes those of the chosen CPUs that exist and are allowed here; when that is none, restart's
 * stay. */
static void set_cpus(const struct ckpt_thread *thread) {
  uint64_t any = 0;
  for (int i = 0; i < CKPT_CPU_WORDS; i++)
    any |= thread->cpus[i];
  if (any)
    sys(SYS_(sched_setaffinity), 0, sizeof thread->cpus, thread->cpus);
}

static void set_io_priority(const struct ckpt_thread *thread) {
  if (thread->io_priority)
    sys(SYS_(ioprio_set), IOPRIO_WHO_PROCESS, 0, thread->io_priority);
}

void restorer_set_up_main_thread(struct plan *plan) {
  if (plan->threads[0].ended) {
    sys(SYS_(prctl), PR_SET_NAME, plan->threads[0].name, 0, 0, 0);
    return;
  }
  set_up(plan, &plan->threads[0]);
  /* The other threads, which have started with restart's, are past that. */
  set_cpus(&plan->threads[0]);
  set_io_priority(&plan->threads[0]);
}

static void queue_signals(struct plan *plan, int32_t tid) {
  for (uint32_t i = 0; i < plan->signal_count; i++) {
    struct ckpt_signal *from = &plan->signals[i];
    int32_t number;
    if (from->tid != tid)
      continue;
    __builtin_memcpy(&number, from->info, sizeof number);
    long error = tid ? sys(SYS_(rt_tgsigqueueinfo), plan->pid, sys(SYS_(gettid)), number, from->info)
                     : sys(SYS_(rt_sigqueueinfo), plan->pid, number, from->info);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_SIGNAL, error, (uint64_t)number, 0);
  }
}

void restorer_queue_signals(struct plan *plan) {
  queue_signals(plan, plan->threads[0].tid);
  queue_signals(plan, 0);
}

/* Policy, nice value and the like are the thread's own. What is not allowed any more stays as the main thread
 * has it. */
static void set_schedule(const struct ckpt_thread *thread) {
  int32_t priority = thread->priority;
  sys(SYS_(sched_setscheduler), 0, thread->policy, &priority);
  sys(SYS_(setpriority), PRIO_PROCESS, 0, thread->nice);
  set_io_priority(thread);
  if (thread->timer_slack)
    sys(SYS_(prctl), PR_SET_TIMERSLACK, thread->timer_slack, 0, 0, 0);
}

static void wait_while(uint32_t *word, uint32_t value) {
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
    sys(SYS_(futex), word, FUTEX_WAIT_PRIVATE, value, 0, 0, 0);
}

/* Called by entry.S on the thread's stack in the hole. */
void restorer_thread(struct plan *plan, uint64_t number) {
  const struct ckpt_thread *thread = &plan->threads[number];
  set_up(plan, thread);
  set_schedule(thread);
  set_cpus(thread);
  restorer_restore_credentials(plan);
  queue_signals(plan, thread->tid);
  __atomic_fetch_add(&plan->threads_ready, 1, __ATOMIC_ACQ_REL);
  sys(SYS_(futex), &plan->threads_ready, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  wait_while(&plan->threads_go, 0);
  restorer_take_overruns(plan, thread);
  restorer_resume(thread);
}

/* The threads that read the pages have told that they end, but the kernel holds an id until the last moment:
 * it may be one that is wanted here. */
static long start_with_id(struct plan *plan, struct clone_args *args, uint64_t number) {
  enum { PATIENCE = 100000 };
  for (int i = 0;; i++) {
    long error = restorer_start_thread(args, sizeof *args, plan, number);
    if (error != -EEXIST || i == PATIENCE)
      return error;
    sys(SYS_(sched_yield));
  }
}

/* While the privilege to choose ids is still there. */
void restorer_start_threads(struct plan *plan) {
  plan->thread_ids[0] = plan->pid;
  for (uint32_t i = 1; i < plan->thread_count; i++) {
    int32_t tid = plan->threads[i].tid;
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
        .stack = (uint64_t)plan->thread_stacks + (uint64_t)(i - 1) * PLAN_THREAD_STACK,
        .stack_size = PLAN_THREAD_STACK,
    };
    if (!plan->any_ids) {
      args.set_tid = (uint64_t)&tid;
      args.set_tid_size = 1;
    }
    long error = start_with_id(plan, &args, i);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_START_THREAD, error, (uint64_t)tid, 0);
    plan->thread_ids[i] = (int32_t)error;
  }
  for (uint32_t ready;
       (ready = __atomic_load_n(&plan->threads_ready, __ATOMIC_ACQUIRE)) + 1 < plan->thread_count;)
    wait_while(&plan->threads_ready, ready);
}

void restorer_let_threads_go(struct plan *plan) {
  __atomic_store_n(&plan->threads_go, 1, __ATOMIC_RELEASE);
  sys(SYS_(futex), &plan->threads_go, FUTEX_WAKE_PRIVATE, INT32_MAX, 0, 0, 0);
}

/* Until the kernel has cleared that word, libckpt leaves the hole where it is. */
static void end_main_thread(const struct plan *plan) {
  struct ckpt_resume *resume = (struct ckpt_resume *)plan->process.resume;
  sys(SYS_(set_tid_address), &resume->main_lives);
  for (;;)
    sys(SYS_(exit), plan->threads[0].exit_code >> 8);
}

void restorer_go_on(const struct plan *plan) {
  if (plan->threads[0].ended)
    end_main_thread(plan);
  restorer_resume(&plan->threads[0]);
}
