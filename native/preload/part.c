/* The tables that a program that takes part fills, and how they are changed. */
#include "part.h"

#include "core/sys.h"
#include "state.h"

struct part_table *part_change_begin(void) {
  struct part *part = &ckpt_state.part;
  if (is_leader())
    return NULL;
  while (__atomic_exchange_n(&part->lock, 1, __ATOMIC_ACQUIRE))
    sys(SYS_(sched_yield));
  struct part_table *next = &part->table[(part->generation + 1) & 1];
  *next = part->table[part->generation & 1];
  return next;
}

void part_change_end(bool changed) {
  struct part *part = &ckpt_state.part;
  if (changed)
    __atomic_fetch_add(&part->generation, 1, __ATOMIC_SEQ_CST);
  __atomic_store_n(&part->lock, 0, __ATOMIC_RELEASE);
}
