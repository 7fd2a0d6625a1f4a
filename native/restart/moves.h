/* Where the program finds what has moved: --map and --chdir. */
#ifndef RESTART_MOVES_H
#define RESTART_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"

enum { MOVES_MOST = 64 };

/* A path, or all below it, that is now elsewhere. */
struct move {
  char *from; /* without a slash at its end, so "" is the root */
  char *to;   /* the same */
};

struct moves {
  struct move list[MOVES_MOST];
  uint32_t count;
  const char *cwd; /* null: where it was */
};

/* In ckpt_file.flags, while restart works on it: the file was found by --map. */
#define FILE_MOVED (1u << 31)

/* Takes OLD=NEW: null, or what is wrong with it. */
const char *moves_add(struct moves *moves, const char *word);

/* Writes the new names into the image: 0, or -1 with a problem said. */
int moves_apply(const struct moves *moves, struct image *image);
/* The first process gets the directory that was asked for, and all get it that were where that one was. */
int moves_change_directory(const struct moves *moves, struct image *images, uint32_t count);

#endif
