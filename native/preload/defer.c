/* Checkpoints that have to wait, since the program is in the middle of something that no image may show. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "core/sys.h"
#include "part.h"
#include "state.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void ckpt_defer(void);
EXPORT int ckpt_allow(void);

static uint32_t deferred(void) {
  return __atomic_load_n(&ckpt_state.part.deferred, __ATOMIC_SEQ_CST);
}

bool is_leader(void) {
  return __atomic_load_n(&ckpt_state.part.leader, __ATOMIC_RELAXED) == (int32_t)sys(SYS_(gettid));
}

void self_info(siginfo_t *info, int value) {
  memset(info, 0, sizeof *info);
  info->si_signo = CKPT_CONTROL_SIGNAL;
  info->si_code = CKPT_CONTROL_CODE;
  info->si_pid = (pid_t)sys(SYS_(getpid));
  info->si_value.sival_ptr = (void *)(uintptr_t)value;
}

long queue_to_self(int value) {
  siginfo_t info;
  long pid = sys(SYS_(getpid));
  long result = ckpt_take_signal(CKPT_CONTROL_SIGNAL);
  if (result < 0)
    return result;
  self_info(&info, value);
  return sys(SYS_(rt_tgsigqueueinfo), pid, sys(SYS_(gettid)), CKPT_CONTROL_SIGNAL, &info);
}

/* Whoever puts a request there looks at the counter afterwards, and whoever lowers the counter looks for
 * requests afterwards: one of the two carries it out. */
static void count_one(struct waiting *waiting) {
  __atomic_fetch_add(&waiting->count, 1, __ATOMIC_SEQ_CST);
}

void wait_with_signal(void) {
  struct waiting *waiting = &ckpt_state.part.waiting;
  waiting->by_signal = true;
  count_one(waiting);
}

void wait_with_cookie(uint64_t cookie) {
  struct waiting *waiting = &ckpt_state.part.waiting;
  if (waiting->cookie_count == COOKIES_MOST)
    return;
  for (uint32_t i = 0; i < waiting->cookie_count; i++)
    if (waiting->cookies[i] == cookie)
      return; /* who waits for long asks again */
  waiting->cookies[waiting->cookie_count++] = cookie;
  count_one(waiting);
}

bool take_waiting(struct waiting *all) {
  struct waiting *waiting = &ckpt_state.part.waiting;
  if (__atomic_load_n(&waiting->count, __ATOMIC_SEQ_CST) == 0 || deferred())
    return false;
  *all = *waiting;
  waiting->by_signal = false;
  waiting->cookie_count = 0;
  __atomic_store_n(&waiting->count, 0, __ATOMIC_SEQ_CST);
  return true;
}

void ckpt_defer(void) {
  __atomic_fetch_add(&ckpt_state.part.deferred, 1, __ATOMIC_SEQ_CST);
}

static bool something_waits(void) {
  return deferred() == 0 && __atomic_load_n(&ckpt_state.part.waiting.count, __ATOMIC_SEQ_CST) > 0;
}

static bool takes_control_signal(void) {
  uint64_t mask = ~0ull;
  sys(SYS_(rt_sigprocmask), SIG_SETMASK, NULL, &mask, sizeof mask);
  return !(mask >> (CKPT_CONTROL_SIGNAL - 1) & 1);
}

/* Another thread may be about to leave its handler: then our signal comes to nothing, and once more is
 * needed. A leader that calls this in a hook looks by itself when it is done. */
int ckpt_allow(void) {
  uint32_t *counter = &ckpt_state.part.deferred;
  uint32_t count = deferred();
  do {
    if (count == 0)
      return -EINVAL;
  } while (
      !__atomic_compare_exchange_n(counter, &count, count - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  while (something_waits() && !is_leader() && takes_control_signal() && queue_to_self(SELF_LOOK) == 0)
    if (something_waits())
      sys(SYS_(sched_yield));
  return 0;
}
