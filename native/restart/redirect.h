/* Other files for the program's descriptors: --fd. */
#ifndef RESTART_REDIRECT_H
#define RESTART_REDIRECT_H

#include <stdint.h>

#include "image.h"

enum { REDIRECTS_MOST = 64 };

struct redirect {
  int fd;
  const char *path;       /* null: restart's own descriptor of that number */
  uint32_t *descriptions; /* per image, from 1: what leads there; 0: nothing */
};

struct redirects {
  struct redirect list[REDIRECTS_MOST];
  uint32_t count;
};

/* Takes N=PATH or N=inherit: null, or what is wrong with it. */
const char *redirects_add(struct redirects *redirects, const char *word);

/* In a terminal 0, 1 and 2 are one open file; what restart has there need not be: each gets its own. 0, or -1
 * with a problem said. */
int redirects_part_standard(struct image *images, uint32_t count);
/* Changes what the images say about these descriptors of the root's, and of every process that shares them
 * under the same number: 0, or -1 with problems said. */
int redirects_apply(struct redirects *redirects, struct image *images, uint32_t count);
/* Opens the files, once everything else has been found in order: 0, or -1 with a problem said. */
int redirects_open(const struct redirects *redirects, struct image *images, uint32_t count);

#endif
