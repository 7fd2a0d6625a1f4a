/* The files that an image names: have they stayed as they were, and what is done about those that grew. */
#ifndef RESTART_FILES_H
#define RESTART_FILES_H

#include "find.h"
#include "image.h"
#include "options.h"

/* A file that has grown since and is cut back. */
struct cut {
  const char *path;
  uint64_t size; /* as it was */
  char kept[PATH_MAX];
};

struct cuts {
  struct cut *list;
  uint32_t count;
};

void check_files(const struct image *image, const struct place *place, const struct options *options,
                 struct cuts *cuts);
/* Cuts all of them, after everything that is cut off is safe on disk: 0, or -1 with a problem said. */
int cut_files(struct cuts *cuts, const struct place *place);

/* Copies [from, to) of a file to the start of another, leaving holes where it has some: 0 or negative errno.
 */
int copy_range(int in, int out, uint64_t from, uint64_t to);
/* Where the contents of a carried file are: 0 or -1 when the path is too long. */
int carried_path(const struct image *image, const struct place *place, const struct ckpt_file *file,
                 char path[PATH_MAX]);

#endif
