/* What a program that takes part calls: native/include/ckpt.h. The rest of it: defer.c, hooks.c, exclude.c.
 */
#include <errno.h>

#include "checkpoint.h"
#include "core/sys.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int ckpt_enabled(void);
EXPORT int ckpt_checkpoint(void);
EXPORT unsigned ckpt_restarts(void);
EXPORT void ckpt_retake(int signal, siginfo_t *info, void *frame);
void ckpt_defer(void);
int ckpt_allow(void);

int ckpt_enabled(void) {
  return ckpt_state.signal != 0;
}

unsigned ckpt_restarts(void) {
  return ckpt_state.restarts;
}

/* Nobody in the program calls this. glibc's first pthread_cancel takes the control signal, and its handler
 * lets our requests fall: the toolkit, which has then stopped the thread at that handler's first instruction
 * by ptrace, lets it go on here. */
void ckpt_retake(int signal, siginfo_t *info, void *frame) {
  (void)frame;
  if (ckpt_take_signal(signal) == 0)
    sys(SYS_(rt_tgsigqueueinfo), sys(SYS_(getpid)), sys(SYS_(gettid)), signal, info);
}

/* A request like any other, queued to the calling thread by itself: the kernel's signal frame then holds the
 * registers with which this call returns, here or in a restarted process. */
static int request(void) {
  ckpt_state.result = -EBUSY;
  long result = queue_to_self(SELF_CHECKPOINT);
  return (int)(result < 0 ? result : ckpt_state.result);
}

/* The hooks run here rather than in the handler, so that they may do what the caller may. Others' requests
 * wait meanwhile: they would run the hooks inside the hooks. */
static int request_with_hooks(void) {
  struct hooks hooks;
  if (__atomic_load_n(&ckpt_state.part.deferred, __ATOMIC_SEQ_CST) > 1)
    return -EAGAIN;
  hooks_copy(&hooks);
  hooks_before(&hooks);
  int result = request();
  if (result == 1)
    hooks_restarted(&hooks);
  else
    hooks_after(&hooks);
  return result;
}

int ckpt_checkpoint(void) {
  uint32_t *calling = &ckpt_state.part.calling;
  if (is_leader() || __atomic_exchange_n(calling, 1, __ATOMIC_ACQUIRE))
    return -EBUSY;
  ckpt_defer();
  int result = request_with_hooks();
  __atomic_store_n(calling, 0, __ATOMIC_RELEASE);
  ckpt_allow();
  return result;
}
