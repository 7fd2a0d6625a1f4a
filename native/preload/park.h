/* Threads that stand still: their seats, and what the leader and they tell each other there. */
#ifndef CKPT_PARK_H
#define CKPT_PARK_H

#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "core/sys.h"
#include "thread.h"

enum claim { CLAIM_NONE, CLAIM_THREAD, CLAIM_LEADER };

/* One for each thread, and the stack that it stands still on. They stay for the next checkpoint: a thread may
 * take its signal when nobody waits for it any more. entry.S knows the first two fields. */
struct parked {
  char *stack_end;
  uint32_t used;    /* from the request until the thread has left the stack */
  uint32_t claim;   /* who was first: the thread that arrives, or the leader that gives up */
  uint32_t arrived; /* 1: it stands still */
  int32_t tid;
  bool ended; /* a zombie: nobody can have its id as yet */
  long error;
  struct checkpoint *c;
  struct known_call call;
  bool waits_for_signal; /* the one that we would ask it with */
  struct thread_note note;
};

/* park.c: in the thread that parks, called by entry.S. */
void ckpt_park(struct parked *p, ucontext_t *frame);

/* seats.c: room for so many threads and some that may appear. */
long make_seats(struct checkpoint *c, uint64_t threads);
/* For a thread, or null: all are in use. */
struct parked *take_seat(struct checkpoint *c, int32_t tid);

static inline void futex_wait(uint32_t *word, uint32_t value, const struct timespec *limit) {
  sys(SYS_(futex), word, FUTEX_WAIT_PRIVATE, value, limit, NULL, 0);
}

static inline void futex_wake(uint32_t *word) {
  sys(SYS_(futex), word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

#endif
