/* --detach: the program runs on under a restart in the background. */
#ifndef RESTART_DETACH_H
#define RESTART_DETACH_H

#include <sys/types.h>

#include "find.h"
#include "running.h"

/* Goes on in a new process, in a session of its own; the first one waits there for its news and ends: silent,
 * or saying the program's process id. 0, or -1 with a problem said. */
int detach_begin(bool silent);
/* What of standard input, output and error is a terminal leads elsewhere, in the new process: input to
 * /dev/null, the others to the file `output` of the job's directory. */
int detach_open(const struct place *place);
/* The program does not run after all: what has been made for its output goes. */
void detach_undo(const struct place *place);
void detach_streams(void);
/* The program runs: nobody waits any more. */
void detach_done(pid_t pid);
/* Leaves word of the program's end beside its images. */
void detach_ended(const struct place *place, const struct running *running, int status);

#endif
