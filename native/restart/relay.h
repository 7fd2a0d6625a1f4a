/* --pty and --no-tty: a terminal that restart makes for the program, or none. */
#ifndef RESTART_RELAY_H
#define RESTART_RELAY_H

#include "job.h"
#include "options.h"

/* Says what becomes of a program that had a terminal where there is none now, unless that has been chosen. */
void relay_warn(const struct job *job, const struct options *options);
/* From here on a process in front relays between restart's own input and output and a new terminal, which is
 * the controlling one of the calling process; it ends with that one's status. 0, or -1 with a problem said.
 */
int relay_begin(const struct job *job);
/* In the new process: what led to a terminal leads to that one; or, with --no-tty, none of restart's leads to
 * one.
 */
int relay_streams(const struct job *job, const struct options *options);
/* A descriptor that leads to a terminal which has hung up: it, or -1 (errno set). */
int relay_hung_up(int flags);

#endif
