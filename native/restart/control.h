/* The socket on which the toolkit waits to hear how a restart went. */
#ifndef RESTART_CONTROL_H
#define RESTART_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Connects: 0, or -1 with a problem said. */
int control_connect(uint64_t cookie);
/* Tells that a copy of the program would run: true once it is to, false when it is not. */
bool control_ready(const char *image);
/* Tells that the program runs as `pid`. */
void control_done(pid_t pid, uint64_t nanoseconds, uint64_t bytes, const char *image);
/* Tells what went wrong; false when nobody listens, so that it has to be said elsewhere. */
bool control_failed(const char *words);

#endif
