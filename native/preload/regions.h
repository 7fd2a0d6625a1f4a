/* Describing the memory map: what the files for its parts share. */
#ifndef CKPT_REGIONS_H
#define CKPT_REGIONS_H

#include <sys/stat.h>

#include "core/proc.h"
#include "pages.h"

/* The mapping whose lines in /proc/self/smaps are being read. */
struct reading {
  struct checkpoint *c;
  struct proc_map map;
  char name[PROC_PATH_MAX + 64];
  uint64_t protection_key;
  uint64_t resident, swapped, page_size; /* KiB */
  bool no_swap;                          /* the machine has none */
};

/* Words about memory that cannot be saved; always negative. */
long refuse_region(struct reading *r, const char *what);
/* Adds what of it is not the arena: the kernel may have merged that with a neighbour. */
long add_region(struct reading *r, const struct ckpt_region *region, enum source source);
long add_anonymous(struct reading *r, struct ckpt_region *region, enum source source);
/* The file of a descriptor that is the one mapped here: index + 1, or 0. */
uint32_t find_open(const struct reading *r);
/* A file in memory whose name was deleted may have another in the same directory, as a semaphore has that
 * sem_open has made: r->name becomes that. */
bool find_other_name(struct reading *r, struct stat *st);
/* Memory over a file that has no name, or none any more (nameless.c). */
long add_nameless(struct reading *r, struct ckpt_region *region, const char *words);
long add_segment(struct reading *r, struct ckpt_region *region);

/* The ring of a queue of asynchronous I/O (aio.c). */
long add_queue(struct reading *r, struct ckpt_region *region);

#endif
