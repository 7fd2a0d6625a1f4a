/* The new process, while it is still ordinary code: everything that is easier with a libc. */
#ifndef RESTART_CHILD_H
#define RESTART_CHILD_H

#include <stdbool.h>

#include "find.h"
#include "image.h"
#include "nest.h"
#include "options.h"
#include "pids.h"
#include "restorer/plan.h"
#include "vdso.h"

struct job;

struct child {
  const struct job *job;
  struct image *image;
  const struct place *place;
  const struct options *options;
  struct vdso vdso;
  struct nest nest;
  struct birth birth;
  bool leads_session;  /* its own, as it had */
  bool leads_group;    /* the same for the process group */
  bool takes_terminal; /* whoever was in its foreground is so again */
  pid_t born;          /* its id now; in its parent only, and 0 when somebody else has borne it there */
  pid_t parent; /* its parent's id now; in itself only, and 0 when that does not know its id (child_id) */
  int report_fd;
  /* From here: made by restore_descriptors. */
  int base;                      /* descriptors from here on are ours, those below the program's */
  int *files_read;               /* per file of the image: an open descriptor, or -1 */
  int *files_write;              /* the same, for reading and writing */
  struct plan_segment *segments; /* per file of the image */
  int *descriptions;
  int *others;  /* per description of a connection: the end through which it is filled */
  int *watched; /* per watch of an epoll set: what another process has, or -1 */
};

/* Makes the descriptors of all processes of the job, and goes on to become them; or tells restart why not and
 * ends.
 */
__attribute__((noreturn)) void child_run(struct job *job);
/* Goes to the program's working directory: 0, or -1 with a problem said. */
int child_change_directory(struct child *child);
/* Becomes one process of the program. Does not return when it succeeds; else -1 with a problem said. */
int child_become(struct child *child);

#endif
