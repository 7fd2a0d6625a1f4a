/* The terminal of restart, which becomes the program's. */
#ifndef RESTART_TERMINAL_H
#define RESTART_TERMINAL_H

#include <asm/termbits.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "job.h"

struct terminal {
  bool set;
  pid_t lent_to; /* the program leads a process group of its own, and that has the foreground; or 0 */
  char path[PATH_MAX];
  struct termios2 before;
};

/* Is there one that the program can have as its controlling terminal, as it had one? */
bool terminal_controls(const struct image *image);
/* Gives restart's terminal the modes of the program's, when restart is in its foreground and the program was.
 */
void terminal_set(const struct job *job, struct terminal *terminal);
/* Gives it back those that it had. */
void terminal_reset(const struct terminal *terminal);

/* Is restart in the foreground of its controlling terminal? */
bool terminal_is_ours(void);
/* In the new process: the calling one's group has the foreground from now on. */
void terminal_take(const struct image *image);
/* Between the program's group and that of restart, as a shell does it with its jobs. */
void terminal_lend(const struct terminal *terminal);
void terminal_take_back(const struct terminal *terminal);

#endif
