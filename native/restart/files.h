/* The files that an image names: have they stayed as they were, and what is done about those that have not.
 */
#ifndef RESTART_FILES_H
#define RESTART_FILES_H

#include "find.h"
#include "image.h"
#include "moves.h"
#include "options.h"

enum change_way {
  CHANGE_CUT,   /* it has grown: the rest is cut off */
  CHANGE_BACK,  /* it is another now: it gets the contents that the image carries */
  CHANGE_AGAIN, /* it is gone: it is made again with them */
};

/* What is done to a file outside; whatever was in it is kept beside the image. */
struct change {
  enum change_way way;
  bool done;
  const struct image *image;
  const struct ckpt_file *file;
  const char *path;
  bool lengthened; /* it was shorter than the image has it, before pages were to come into mappings of it */
  uint64_t length; /* then: how long it was */
  char kept[PATH_MAX];      /* where; "" for nothing */
  char directory[PATH_MAX]; /* made for it; "" for none */
};

struct changes {
  struct change *list;
  uint32_t count;
};

/* Whether the image has what it carries of a file, every byte; else a problem is said. */
bool check_carried(const struct image *image, const struct place *place, const struct ckpt_file *file);
/* What the program has in it is a part of its memory; not so a file that is named instead (--map). */
static inline bool file_is_memory(const struct ckpt_file *file) {
  return file->flags & CKPT_FILE_SHM && !(file->flags & FILE_MOVED);
}

/* All that is wrong, and all that is to be done. The program reads on in the image's copy of a file that only
 * others have changed: such a one counts as deleted from then on. */
void check_files(struct image *image, const struct place *place, const struct options *options,
                 struct changes *changes);

/* Makes those again that are gone, for the program to open, and lengthens mapped ones: 0, or -1 with a
 * problem said. */
int changes_begin(struct changes *changes, const struct place *place);
/* The others, after everything that is lost by it is safe on disk: 0, or -1 with a problem said. */
int changes_commit(struct changes *changes, const struct place *place);
/* A new file beside the image, or in the directory of a bare core file, for what was in NAME: a descriptor or
 * a negative errno. `path` has room for PATH_MAX. */
int kept_create(const struct place *place, const char *what, const char *name, char *path);
/* What root makes for another user's program is that user's, who may want to open it again. */
void made_give(int fd, const struct image *image, const char *name);
/* Takes back what changes_begin has done: the program does not run after all. */
void changes_undo(struct changes *changes);

/* Copies [from, to) of a file to the start of another, leaving holes where it has some: 0 or negative errno.
 */
int copy_range(int in, int out, uint64_t from, uint64_t to);
/* Copies a file of this size over another, of which private mappings keep what they have changed: 0 or
 * negative errno. */
int copy_over(int in, int out, uint64_t size);
/* The same, to one that can be mapped but not written. */
int copy_by_mapping(int in, int out, uint64_t size);
/* Are the first `size` bytes of both the same? */
bool same_contents(int a, int b, uint64_t size);
/* Opens the contents of a carried file: a descriptor, or -1 with a problem said. */
int carried_open(const struct image *image, const struct place *place, const struct ckpt_file *file);

#endif
