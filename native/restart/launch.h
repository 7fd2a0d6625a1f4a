/* --launch: starts a program under libckpt and stays behind it in the background, as --detach does for one
 * that is brought back. */
#ifndef RESTART_LAUNCH_H
#define RESTART_LAUNCH_H

#include "options.h"

/* In the process that detach_begin has made: until the program has ended. Its status, or -1 with a problem
 * said when it has not begun. */
int launch(const struct options *options);

#endif
