/* The terminal of restart, which becomes the program's. */
#ifndef RESTART_TERMINAL_H
#define RESTART_TERMINAL_H

#include <asm/termbits.h>
#include <limits.h>
#include <stdbool.h>

#include "job.h"

struct terminal {
  bool set;
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

#endif
