/* Notes what a call of semtimedop has done that the kernel is going to undo (SEM_UNDO).
 *
 * A checkpoint between the call and the note would lose it. So a signal of ours that comes while a thread is
 * in here is put off until it has left (entry.S), by the instruction that was interrupted: everything that
 * runs here is in the section ckpt_window, calls nothing, and keeps the call in rbx. */
#include <sys/sem.h>
#include <ucontext.h>

#include "core/sys.h"
#include "state.h"

register struct semaphore_call *the_call __asm__("rbx");

void ckpt_note_undo(void);

__attribute__((section("ckpt_window"))) void ckpt_note_undo(void) {
  struct undos *undos = the_call->undos;
  for (uint64_t i = 0; i < the_call->count; i++) {
    const struct sembuf *operation = &the_call->operations[i];
    if (!(operation->sem_flg & SEM_UNDO) || operation->sem_op == 0)
      continue;
    uint64_t key = undo_key((int)the_call->id, operation->sem_num), there = 0;
    uint64_t at = key * 0x9e3779b97f4a7c15ull >> 52;
    uint32_t tries = 0;
    for (; tries < UNDO_MOST; tries++, at = (at + 1) % UNDO_MOST) {
      there = __atomic_load_n(&undos->entries[at].key, __ATOMIC_RELAXED);
      if (there == 0 && __atomic_compare_exchange_n(&undos->entries[at].key, &there, key, 0, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED))
        there = key;
      if (there == key)
        break;
    }
    if (there == key)
      __atomic_fetch_sub(&undos->entries[at].adjust, operation->sem_op, __ATOMIC_RELAXED);
    else
      undos->full = 1;
  }
}
