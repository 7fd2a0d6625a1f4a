/* What restart passes on: its own input and output, and what it has been started with. */
#ifndef RESTART_OUTSIDE_H
#define RESTART_OUTSIDE_H

#include "child.h"

struct job;

/* Notes which descriptors restart was started with, and opens 0, 1 and 2 where it has none; raises the soft
 * limit on them. To be called before anything else is opened. */
int outside_note_inherited(void);
bool outside_is_inherited(int fd);
/* Makes one that was opened later one of them: 0, or -1 when its number is too high. */
int outside_inherit(int fd);
/* Closes those above 2. */
void outside_close_inherited(void);

/* In the new process: moves what is passed on, the core files and the reports up, and closes everything else:
 * 0, or -1 with a problem said. */
int outside_keep(const struct job *job);
/* Both make one description: a descriptor of ours, or -1 with a problem said. */
int outside_make(const struct child *child, const struct ckpt_description *d);
int outside_make_terminal(const struct child *child, const struct ckpt_description *d);
/* What was passed on is in its place, and room is needed for the files that are mapped. */
void outside_close(void);

#endif
