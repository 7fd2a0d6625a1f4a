/* --clone: copies of a program side by side. Each has a restart of its own, in a session of its own, that
 * waits at its gate until all are as far: then all go on, or none. */
#ifndef RESTART_COPIES_H
#define RESTART_COPIES_H

#include "find.h"
#include "job.h"
#include "options.h"

enum { COPIES_MOST = 1000 };

struct copies {
  uint32_t count;
  struct copy *list;
};

/* Says what copies of this program cannot share. */
void check_copies(const struct image *image, const struct options *options);
/* Says which of the copies' jobs runs already; count 0: this is the job of one of them. */
void check_copy_names(const struct place *place, uint32_t count);
/* Further images of copy `number` go to the job of this number, beside the original. */
void copy_name(struct place *place, uint32_t number);

/* Returns 0 once for us, and the number of the copy in each of them, with its gate; -1 with a problem said.
 */
int copies_fork(struct copies *copies, uint32_t count, int *gate);
/* Waits until all stand at their gates: 0, or the status to exit with. */
int copies_gather(struct copies *copies);
/* Ends those that stand there, or are on their way. */
void copies_end(struct copies *copies);
void copies_go(struct copies *copies);
/* Until all have ended: 0, or the status of the first that did not end with 0. */
int copies_follow(struct copies *copies);

/* In a copy: 0, or -1 when it is not to go on. */
int copy_wait(int gate);

#endif
