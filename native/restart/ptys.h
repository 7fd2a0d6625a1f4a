/* Pseudoterminals of the program's own. */
#ifndef RESTART_PTYS_H
#define RESTART_PTYS_H

#include "child.h"

/* One that has been made. */
struct made_pty {
  struct ckpt_pty saved;
  int slave; /* an opening of ours, or -1: nobody had opened it yet */
};

/* Makes both sides of all of them, with what waits in them: 0 or -1. */
int ptys_make_all(struct job *job, struct child *maker);
/* In the leader of a session: takes the controlling terminal that it had; 0 or -1. */
int ptys_take_controlling(const struct child *child);
/* In any other process: leaves that which it had not. */
int ptys_leave_controlling(const struct child *child);
/* In the leader of a session, once all process groups are there: who was in the foreground of its terminal is
 * so again. */
void ptys_set_foreground(const struct child *child);

#endif
