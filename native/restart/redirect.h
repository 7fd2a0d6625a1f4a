/* Other files for the program's descriptors: --fd. */
#ifndef RESTART_REDIRECT_H
#define RESTART_REDIRECT_H

#include <stdint.h>

#include "image.h"

enum { REDIRECTS_MOST = 64 };

struct redirect {
  int fd;
  const char *path; /* null: restart's own descriptor of that number */
};

struct redirects {
  struct redirect list[REDIRECTS_MOST];
  uint32_t count;
};

/* Takes N=PATH or N=inherit: null, or what is wrong with it. */
const char *redirects_add(struct redirects *redirects, const char *word);

/* Changes what the image says about these descriptors: 0, or -1 with problems said. */
int redirects_apply(const struct redirects *redirects, struct image *image);
/* Opens the files, once everything else has been found in order: 0, or -1 with a problem said. */
int redirects_open(const struct redirects *redirects, struct image *image);

#endif
