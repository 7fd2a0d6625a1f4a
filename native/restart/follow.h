/* The parent's side: from the birth of the new process to the end of the program. */
#ifndef RESTART_FOLLOW_H
#define RESTART_FOLLOW_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "image.h"

/* Blocks every signal, to be looked at when there is time; the new process inherits that. */
void follow_block_signals(void);

enum follow_result { FOLLOW_ON, FOLLOW_FAILED, FOLLOW_CANCELLED };

/* Until the new process is ready. FAILED: with a problem said; CANCELLED: by the signal that *signal names.
 * Either way it is gone. */
enum follow_result follow_until_ready(const struct image *image, int socket, pid_t pid, int *signal);
/* Lets it go; ON once it runs. */
enum follow_result follow_start(const struct image *image, int socket, pid_t pid);
void follow_kill(pid_t pid);
/* Passes signals on until the program has ended: its exit status, 128 + N when signal N has killed it. */
int follow_to_end(pid_t pid, bool shares_group);

#endif
