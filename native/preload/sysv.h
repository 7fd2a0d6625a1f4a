/* What libckpt notes about System V semaphores and message queues (sysv_calls.c says why). */
#ifndef CKPT_SYSV_H
#define CKPT_SYSV_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct sembuf;

enum { SYSV_MOST = 4096 };

/* Ids that semget or msgget have given, each plus one; 0: a free place. */
struct sysv_ids {
  uint32_t ids[SYSV_MOST];
  bool full; /* some have found no place */
};

enum { UNDO_MOST = 4096 };

/* What the kernel will add to a semaphore when the process ends. */
struct undo {
  uint64_t key; /* undo_key(); 0: a free place */
  int32_t adjust;
  uint32_t pad;
};

/* In a mapping of its own, which a fork wipes: the child has none of this. */
struct undos {
  struct undo entries[UNDO_MOST];
  uint32_t full; /* some have found no place */
};

struct sysv {
  struct sysv_ids sets;
  struct sysv_ids queues;
  struct undos *undos; /* null until there is the first */
};

static inline uint64_t undo_key(int id, uint16_t number) {
  return ((uint64_t)(uint32_t)id << 16 | number) + 1;
}

/* One call of semtimedop while it is being made (sysv_entry.S knows the fields). */
struct semaphore_call {
  int64_t id;
  const struct sembuf *operations;
  uint64_t count;
  const struct timespec *timeout;
  struct undos *undos;
  uint64_t late; /* signals of ours that came while it was noted, and wait; bit n - 1 for signal n */
};

/* sysv_entry.S: makes the call, and notes what it has done that is to be undone: the kernel's result. */
long ckpt_semaphore_call(struct semaphore_call *call);

#endif
