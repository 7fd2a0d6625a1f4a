/* What is about a process of the program (a pidfd, an entry in /proc) and is open once for several of them,
 * or in flight: it cannot be opened before all processes are there, and is one open file for all. */
#ifndef RESTART_COMMON_H
#define RESTART_COMMON_H

#include "job.h"
#include "merge.h"

/* Everything that is made for all processes of a job as if one had it. */
struct making {
  struct image merged;
  struct child maker;
  struct merge_map *maps; /* per process */
  bool *common;           /* per description of the merged image */
  int (*ways)[2];         /* the same: the first end receives what is common, the second one sends it */
  int gate[2];            /* a pipe that the root closes when all of that is made */
  bool gated;             /* there is something to wait for */
  bool in_flight;         /* some of it waits in a socket: they are filled when it is there */
};

/* Finds what is common: 0 or -1. */
int common_find(const struct job *job);
/* Of the merged image, and of a process's own. */
bool common_has(const struct making *making, uint32_t index);
bool common_has_own(const struct child *child, uint32_t index);
/* A place for it in the maker; itself where there is only one process. */
int common_make(const struct job *job, uint32_t index);
/* Once all processes are there: the root opens what is common, the others receive it. 0 or -1. */
int common_share(struct child *child);

#endif
