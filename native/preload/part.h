/* What a program that takes part has told libckpt: which of its functions to call around a checkpoint, which
 * memory to leave out, and whether checkpoints have to wait. */
#ifndef CKPT_PART_H
#define CKPT_PART_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/image.h"

enum {
  HOOKS_MOST = 32,
  EXCLUDED_MOST = 64,
  COOKIES_MOST = 8, /* requesters that wait while checkpoints are deferred; later ones are not answered */
};

struct hook {
  int id;
  void (*before)(void *);
  void (*after)(void *);
  void (*restarted)(void *);
  void *argument;
};

struct hooks {
  uint32_t count;
  struct hook hook[HOOKS_MOST]; /* in the order of registration */
};

struct part_table {
  struct hooks hooks;
  uint32_t excluded_count;
  struct ckpt_range excluded[EXCLUDED_MOST]; /* by address, none touches another */
};

/* Requests that wait for the last ckpt_allow. Only the thread that leads changes them. */
struct waiting {
  uint32_t count;
  bool by_signal; /* however many those were, one image answers them */
  uint32_t cookie_count;
  uint64_t cookies[COOKIES_MOST];
};

/* The table that counts is table[generation & 1]; a change is made in the other one. So a thread may be
 * frozen anywhere in a change, and the table is whole. */
struct part {
  uint32_t lock; /* among those who change a table */
  uint32_t generation;
  struct part_table table[2];
  int last_id;
  uint32_t deferred;
  uint32_t calling; /* a thread is in ckpt_checkpoint() */
  int32_t leader;   /* id of the thread that is in ckpt_on_signal, or 0 */
  struct waiting waiting;
};

/* part.c: begin returns the table to change, a copy of the one that counts, or null in a hook that runs
 * inside the signal handler: what that has interrupted may be changing a table. */
struct part_table *part_change_begin(void);
void part_change_end(bool changed);

/* hooks.c: the hooks of now, and calling them. */
void hooks_copy(struct hooks *hooks);
void hooks_before(const struct hooks *hooks);
void hooks_after(const struct hooks *hooks);
void hooks_restarted(const struct hooks *hooks);

/* exclude.c: whether `address` is excluded, and until where that answer holds. */
bool is_excluded(uint64_t address, uint64_t *until);

/* defer.c */
/* What the siginfo of a control signal that a thread queues to itself carries: ckpt_checkpoint(), a look for
 * requests that wait, or a CKPT_SIGNAL that came late. */
enum { SELF_CHECKPOINT = 0, SELF_LOOK = 1, SELF_SIGNAL = 2 };
void self_info(siginfo_t *info, int value);
long queue_to_self(int value);
bool is_leader(void);
void wait_with_signal(void);
void wait_with_cookie(uint64_t cookie);
/* All that wait, unless they have to go on waiting. */
bool take_waiting(struct waiting *all);

#endif
