/* System V shared memory segments. */
#ifndef RESTART_SEGMENTS_H
#define RESTART_SEGMENTS_H

#include "child.h"

/* Says which of the image's segments others use now. */
void check_segments(const struct image *image);

#endif
