/* Objects of the kernel that are made for the program and outlive it: System V objects, message queues. They
 * are noted where restart sees them, so that they go when the program does not come to life, however it ends.
 */
#ifndef RESTART_MADE_H
#define RESTART_MADE_H

#include "job.h"

enum made_kind { MADE_SEGMENT, MADE_SET, MADE_SYSV_QUEUE };

/* In restart, before the first process is born: 0, or -1 with a problem said. */
int made_begin(const struct job *job);
/* In that process, which alone makes any. */
void made_note(enum made_kind kind, int id);
/* A POSIX message queue; its name with the slash. */
void made_note_queue(const char *name);
/* In restart, when that process is gone: removes all of them. */
void made_undo(void);

#endif
