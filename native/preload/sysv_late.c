/* A signal of ours in the moment between a call of semtimedop and the note about it. */
#include <signal.h>
#include <ucontext.h>

#include "core/sys.h"
#include "state.h"

void ckpt_put_off(int signal, const siginfo_t *info, ucontext_t *frame);

/* Queues it again, for this very thread, and has the thread return with it blocked: it unblocks it when it
 * has made its note. On the program's stack, of which this must take little. */
void ckpt_put_off(int signal, const siginfo_t *info, ucontext_t *frame) {
  struct semaphore_call *call = (struct semaphore_call *)frame->uc_mcontext.gregs[REG_RBX];
  uint64_t bit = 1ull << (signal - 1), mask;
  if (sys(SYS_(rt_tgsigqueueinfo), sys(SYS_(getpid)), sys(SYS_(gettid)), signal, info) < 0)
    return;
  __atomic_fetch_or(&call->late, bit, __ATOMIC_RELAXED);
  __builtin_memcpy(&mask, &frame->uc_sigmask, sizeof mask);
  mask |= bit;
  __builtin_memcpy(&frame->uc_sigmask, &mask, sizeof mask);
}
