/* From what the user names to one core file. */
#ifndef RESTART_FIND_H
#define RESTART_FIND_H

#include <limits.h>
#include <stdint.h>

#include "image.h"

struct place {
  char core[PATH_MAX];  /* absolute path of the core file */
  char image[PATH_MAX]; /* its image directory; the core file itself when it is in none */
  char job[PATH_MAX];   /* the job directory that further images go to; "" for a bare core file */
  char home[PATH_MAX];  /* the job directory that the image is in; "" for a bare core file */
  uint64_t number;      /* of the image, 0 for a bare core file */
};

/* Finds and opens the image: 0, or -1 with a problem said. `name`: of another job directory, or null. */
int find_image(const char *path, const char *name, struct place *place, struct image *image);

#endif
