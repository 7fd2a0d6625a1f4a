/* How what an inotify instance watches is looked for. */
#ifndef CKPT_INOTIFY_H
#define CKPT_INOTIFY_H

#include <stddef.h>
#include <stdint.h>

#include "core/dir.h"
#include "core/proc.h"
#include "describe.h"

enum { INODE_FILTER = 1 << 16, HANDLE_MOST = 128 /* MAX_HANDLE_SZ */ };

struct handle {
  uint32_t size;
  int32_t type;
  uint8_t bytes[HANDLE_MOST];
};

/* What one watch watches. */
struct wanted {
  uint64_t ino;
  uint32_t major, minor;
  struct handle handle;
};

struct search {
  struct looking *l;
  struct list wanted;      /* struct wanted, beside c->inotify */
  struct list directories; /* to look into: one path behind the other */
  size_t next;             /* of those */
  size_t missing;
  unsigned looks;
  uint8_t inodes[INODE_FILTER / 8]; /* a bit for each that may be one: most names are none */
  struct dir dir;
  char path[PROC_PATH_MAX];
};

/* inotify_find.c: gives all watches a file whose paths are found. */
long inotify_find(struct search *s);

#endif
