/* Memory that a process still has as its parent has it: shared since a fork, or the same again. It is written
 * once, by the parent.
 *
 * Before anyone writes, each process with children in the job offers what its core will hold: a list in its
 * arena, and descriptors of its memory, which the leader passes on to the children. A child leaves out each
 * page that is the same there. Private memory that holds the same is the same to a program, so what is
 * compared decides nothing but how much is written. */
#ifndef CKPT_INHERIT_H
#define CKPT_INHERIT_H

#include "pages.h"

enum offer_kind {
  OFFER_FILLED = 1,  /* each page that is not all zeros */
  OFFER_CHANGED = 2, /* over a file: each page that is no longer the file's */
};

/* By address; what the program has excluded is left out. */
struct offer {
  uint64_t start;
  uint64_t end;
  uint64_t kind;
};

/* The parent's memory, looked at while pages are written. */
struct inheriting {
  int memory;
  struct entries *ours, theirs;
  struct offer *offers;
  size_t count; /* 0: nothing can be inherited */
  size_t next;
  char *bytes; /* of the parent's pages [start, end) */
  uint64_t start, end;
};

/* inherit.c */
long inherit_begin(struct inheriting *inheriting, struct checkpoint *c, struct entries *ours);
/* May a region of this kind have pages of the parent's? */
bool may_inherit(const struct ckpt_region *region, enum source source);
/* Will the parent's core have this page, which reads as `page` here? To be asked by address. */
bool is_inherited(struct inheriting *inheriting, uint64_t address, const void *page, enum source source);

#endif
