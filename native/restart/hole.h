/* Address ranges that neither the image nor this process uses. */
#ifndef RESTART_HOLE_H
#define RESTART_HOLE_H

#include "image.h"

struct holes {
  uint64_t hole;   /* for the restorer; gone again once the program runs */
  uint64_t parked; /* for a vdso that stays */
  uint64_t top;    /* end of what this process has mapped */
};

/* 0, or -1 with a problem said. Sizes are multiples of the page size. `used`: a range to keep clear of. */
int holes_find(const struct image *image, struct ckpt_range used, uint64_t hole_size, uint64_t parked_size,
               struct holes *holes);
/* The lower half of the largest range that none of these images uses, nor this process: 0 or -1. */
int holes_find_largest(const struct image *images, uint32_t count, struct ckpt_range *range);

#endif
