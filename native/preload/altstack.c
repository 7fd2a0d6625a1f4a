/* sigaltstack, interposed to notice when two threads have the same alternate stack. A program may do that
 * whose handlers there only ever end it: they run one at a time. Ours interrupts all threads at once, and
 * each would get its signal frame where another's is. The kernel tells an alternate stack to nobody but its
 * thread; so once two have the same, our signals come on the threads' own stacks.
 *
 * This runs in the program, in any thread, in its signal handlers, too: no locks. */
#include "core/sys.h"
#include "interpose.h"
#include "state.h"

EXPORT int sigaltstack(const stack_t *stack, stack_t *old);

/* A hash of the address above, the thread's id below. Stacks with the same place displace each other: one
 * that is shared is set again and again. */
static uint64_t *place_of(const stack_t *stack, uint64_t *entry) {
  uint64_t hash = ((uint64_t)stack->ss_sp * 0x9e3779b97f4a7c15ull) >> 32;
  *entry = hash << 32 | (uint32_t)sys(SYS_(gettid));
  return &ckpt_state.alternate.stacks[hash % ALTERNATE_MOST];
}

static bool lives(int32_t tid) {
  return sys(SYS_(tgkill), sys(SYS_(getpid)), tid, 0) == 0;
}

static void leave_alternate_stacks(void) {
  const int ours[] = {ckpt_state.signal, CKPT_CONTROL_SIGNAL, CKPT_OTHER_SIGNAL};
  if (__atomic_exchange_n(&ckpt_state.alternate.shared, true, __ATOMIC_RELAXED))
    return;
  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
    struct kernel_sigaction action;
    long result = sys(SYS_(rt_sigaction), ours[i], NULL, &action, sizeof action.mask);
    if (result == 0 && action.handler == (void *)ckpt_signal_entry)
      ckpt_take_signal(ours[i]);
  }
}

static void take_place(const stack_t *stack) {
  uint64_t entry, *place = place_of(stack, &entry);
  uint64_t before = __atomic_exchange_n(place, entry, __ATOMIC_ACQ_REL);
  if (before != entry && before >> 32 == entry >> 32 && before && lives((int32_t)before))
    leave_alternate_stacks();
}

static void give_up_place(const stack_t *stack) {
  uint64_t entry, *place = place_of(stack, &entry);
  __atomic_compare_exchange_n(place, &entry, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static bool is_enabled(const stack_t *stack) {
  return !(stack->ss_flags & SS_DISABLE);
}

/* The place is taken before the stack is: the signal may come in between. */
int sigaltstack(const stack_t *stack, stack_t *old) {
  const stack_t wanted = stack ? *stack : (stack_t){.ss_flags = SS_DISABLE};
  stack_t before;
  if (is_enabled(&wanted))
    take_place(&wanted);
  long result = sys(SYS_(sigaltstack), stack, &before);
  if (result == 0 && stack && is_enabled(&before) && !(is_enabled(&wanted) && wanted.ss_sp == before.ss_sp))
    give_up_place(&before);
  if (result == 0 && old)
    *old = before;
  return result_of(result);
}
