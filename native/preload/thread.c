/* What a thread has besides its memory. */
#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "core/sys.h"
#include "thread.h"

/* ---- rseq ------------------------------------------------------------------------------------------- */

/* glibc (2.35 and later) says where its area is, relative to the thread pointer. Weak: musl has none. */
extern const ptrdiff_t __rseq_offset __attribute__((weak, visibility("default")));
extern const unsigned __rseq_size __attribute__((weak, visibility("default")));

enum { RSEQ_UNREGISTER = 1, RSEQ_SIGNATURE = 0x53053053, RSEQ_LEAST = 32 };

/* The thread pointer is asked for, not read from where it points: a thread made by a bare clone() has none.
 */
static void unregister_rseq(struct leaving *leaving) {
  leaving->rseq_size = 0;
  if (&__rseq_offset == NULL || &__rseq_size == NULL || __rseq_size == 0)
    return;
  uint64_t thread_pointer;
  if (sys(SYS_(arch_prctl), ARCH_GET_FS, &thread_pointer) < 0 || thread_pointer == 0)
    return;
  leaving->rseq_area = thread_pointer + (uint64_t)__rseq_offset;
  /* glibc registers 32 bytes, or what the kernel asks for when that is more. */
  for (uint32_t size = RSEQ_LEAST; size <= 256 && leaving->rseq_size == 0; size += 32)
    if (sys(SYS_(rseq), leaving->rseq_area, size, RSEQ_UNREGISTER, RSEQ_SIGNATURE) == 0)
      leaving->rseq_size = size;
}

void thread_enter(struct leaving *leaving, ucontext_t *frame, const struct known_call *call) {
  leave_kernel(leaving, frame, call);
  unregister_rseq(leaving);
}

void thread_register(struct leaving *leaving) {
  if (leaving->rseq_size)
    sys(SYS_(rseq), leaving->rseq_area, leaving->rseq_size, 0, RSEQ_SIGNATURE);
  leaving->rseq_size = 0;
}

void thread_leave(struct leaving *leaving) {
  thread_register(leaving);
  enter_kernel(leaving);
}

/* ---- Everything else -------------------------------------------------------------------------------- */

/* Only a choice of the program's own is saved: those that it was started with are the starter's choice, and
 * at the restart that is `restart`'s. Where the kernel knows more CPUs than there is room for, it tells
 * nothing. */
static void describe_cpus(struct ckpt_thread *t) {
  long size = sys(SYS_(sched_getaffinity), 0, sizeof t->cpus, t->cpus);
  if (size <= 0 || __builtin_memcmp(t->cpus, ckpt_state.resume.cpus, sizeof t->cpus) == 0)
    __builtin_memset(t->cpus, 0, sizeof t->cpus);
}

/* The kernel's list of robust locks has one that is being taken or given up apart: whether it is the thread's
 * is in the lock alone. */
static bool has_pending_lock(const struct ckpt_thread *t) {
  struct robust_list_head head;
  uint32_t lock;
  return t->robust_list && sys_peek(t->robust_list, &head, sizeof head) && head.list_op_pending &&
         sys_peek(((uint64_t)head.list_op_pending & ~1ull) + (uint64_t)head.futex_offset, &lock,
                  sizeof lock) &&
         (lock & FUTEX_TID_MASK) == (uint32_t)t->tid;
}

long thread_describe(struct thread_note *note, const ucontext_t *frame, const struct context *context) {
  struct ckpt_thread *t = &note->thread;
  note->frame = frame;
  t->tid = (int32_t)sys(SYS_(gettid));
  t->policy = (uint32_t)sys(SYS_(sched_getscheduler), 0);
  struct sched_param param;
  if (sys(SYS_(sched_getparam), 0, &param) == 0)
    t->priority = param.sched_priority;
  long nice = sys(SYS_(getpriority), PRIO_PROCESS, 0);
  t->nice = nice < 0 ? 0 : (int32_t)(20 - nice);
  describe_cpus(t);
  long io_priority = sys(SYS_(ioprio_get), IOPRIO_WHO_PROCESS, 0);
  t->io_priority = io_priority < 0 ? 0 : (uint32_t)io_priority;
  long slack = sys(SYS_(prctl), PR_GET_TIMERSLACK, 0, 0, 0, 0);
  t->timer_slack = slack < 0 ? 0 : (uint64_t)slack;
  sys(SYS_(prctl), PR_GET_NAME, t->name);
  sys(SYS_(prctl), PR_GET_TID_ADDRESS, &t->clear_child_tid);
  sys(SYS_(get_robust_list), 0, &t->robust_list, &t->robust_list_size);
  t->has_pending = has_pending_lock(t);
  __builtin_memcpy(&t->signal_mask, &frame->uc_sigmask, sizeof t->signal_mask);
  t->altstack = (uint64_t)frame->uc_stack.ss_sp;
  t->altstack_size = frame->uc_stack.ss_size;
  t->altstack_flags = (uint32_t)frame->uc_stack.ss_flags;
  t->frame = (uint64_t)frame;
  t->rip = context->rip;
  t->rsp = context->rsp;
  t->rbx = context->rbx;
  t->rbp = context->rbp;
  t->r12 = context->r12;
  t->r13 = context->r13;
  t->r14 = context->r14;
  t->r15 = context->r15;
  long result = sys(SYS_(arch_prctl), ARCH_GET_FS, &t->fs_base);
  return result < 0 ? result : sys(SYS_(arch_prctl), ARCH_GET_GS, &t->gs_base);
}
