/* Robust locks that a thread has. The kernel has given them up as the thread was killed, and marked them so.
 * In memory that comes from the image nothing of that is left; where it is a file's, they are taken again.
 * Should the restart fail, the kernel gives them up once more. */
#include <linux/futex.h>

#include "restorer/restorer.h"

enum { LOCKS_MOST = 2048 /* the kernel follows no more */ };

/* Who waits for it, the mark has made forget; to be woken once too often does no harm. */
static void take_again(uint64_t address, int32_t tid) {
  uint32_t lock;
  if (address % sizeof lock == 0 && sys_peek(address, &lock, sizeof lock) && lock & FUTEX_OWNER_DIED &&
      !(lock & FUTEX_TID_MASK))
    __atomic_compare_exchange_n((uint32_t *)address, &lock, (uint32_t)tid | FUTEX_WAITERS, false,
                                __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* The list is the program's: it may lead anywhere. */
void restorer_take_robust_locks(const struct ckpt_thread *thread) {
  const uint64_t kind = 1; /* the lowest bit of an address is none */
  struct robust_list_head head;
  if (!thread->robust_list || !sys_peek(thread->robust_list, &head, sizeof head))
    return;
  uint64_t entry = (uint64_t)head.list.next & ~kind, next;
  for (int i = 0; i < LOCKS_MOST && entry != thread->robust_list && sys_peek(entry, &next, sizeof next);
       i++) {
    take_again(entry + (uint64_t)head.futex_offset, thread->tid);
    entry = next & ~kind;
  }
  if (thread->has_pending)
    take_again(((uint64_t)head.list_op_pending & ~kind) + (uint64_t)head.futex_offset, thread->tid);
}
