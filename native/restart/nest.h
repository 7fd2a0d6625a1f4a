/* Memory that processes share since a fork is shared again: a process with children that inherit pages reads
 * its own memory before it bears them, into the nest, address space that no process of the job uses. A child
 * finds the nest as its parent left it, makes it what it has had itself, and bears its own children. In the
 * end the restorer moves each region to its place (mremap), which leaves pages shared. */
#ifndef RESTART_NEST_H
#define RESTART_NEST_H

#include <stdint.h>

struct child;
struct image;
struct job;

struct nest {
  uint64_t start; /* 0: nobody inherits anything */
  uint64_t next;  /* what lies from here on to the end is free */
  uint64_t end;
  uint64_t *regions; /* per region of the image: where it is in the nest, or 0; null before nest_fill */
  uint8_t filled;    /* the process's own pages are in it, too */
};

/* nest_check.c: are the inherited pages of all processes in the cores of their parents? 0, or -1 with a
 * problem said. */
int nest_check(const struct job *job);
/* Chooses the place, once for the job: 0, or -1 with a problem said. */
int nest_place(struct job *job);
/* In the new process, before it bears children: 0, or -1 with a problem said. */
int nest_fill(struct child *child);

/* nest_pages.c: reads the image's pages into the regions that are in the nest: 0, or -1 with a problem said.
 */
int nest_read(struct child *child);
/* Marks the chunks whose pages lie far apart, where a huge page would waste much, in an array of chunks. */
void mark_sparse_chunks(const struct image *image, uint8_t *sparse);

#endif
