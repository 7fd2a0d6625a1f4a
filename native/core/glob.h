/* Patterns of paths, as CKPT_WITH_FILES has them. */
#ifndef CKPT_GLOB_H
#define CKPT_GLOB_H

#include <stdbool.h>

/* Does the path match one of the patterns, which colons separate? `*` stands for any characters, slashes
 * included, and `?` for one; a pattern without a slash is held against the last part of the path. */
bool glob_any(const char *patterns, const char *path);

#endif
