/* The data part of a core on its way to the disk: up to SLOTS chunks at a time. */
#ifndef CKPT_OUTPUT_H
#define CKPT_OUTPUT_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "checkpoint.h"

enum { SLOTS = 8, CHUNK_PAGES = CKPT_CHUNK / CKPT_PAGE };

/* One chunk: the pieces of memory that it is made of, which must stand still until it is written. */
struct slot {
  struct iovec parts[CHUNK_PAGES];
  size_t part_count;
  size_t size;
  uint64_t offset; /* in the file */
  char *bounce;    /* CKPT_CHUNK bytes for pages that cannot be written from where they are */
  bool busy;
  struct iocb control;
};

struct output {
  struct checkpoint *c;
  aio_context_t queue; /* 0: every chunk is written before output_submit returns */
  bool direct;         /* O_DIRECT is on */
  struct slot slots[SLOTS];
};

long output_begin(struct output *output, struct checkpoint *c, uint64_t expected);
/* A slot that is free, with nothing in it; waits for one. Null after an error, which is in *result. */
struct slot *output_slot(struct output *output, long *result);
long output_submit(struct output *output, struct slot *slot, uint64_t offset);
/* Waits for all; must be called on every way out, since the kernel reads from the slots. */
long output_end(struct output *output);

#endif
