#ifndef RESTART_MERGE_H
#define RESTART_MERGE_H

#include "job.h"

/* Where what one process has is in the merged image. */
struct merge_map {
  uint32_t *descriptions;
  bool *in_flight; /* it waits in a socket */
  uint32_t *files; /* a file without a name that several processes have is there once */
};

/* Makes an image that has the open file descriptions of all processes, and their files, and nothing else;
 * maps: one for each process. 0, or -1 with a problem said. */
int merge_descriptions(const struct job *job, struct image *merged, struct merge_map *maps);

#endif
