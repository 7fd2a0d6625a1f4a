/* TCP connections to the outside that come back themselves (--tcp=repair). */
#ifndef RESTART_TCP_REPAIR_H
#define RESTART_TCP_REPAIR_H

#include "job.h"

enum { REPAIR_BUFFER_LOCK = 72 /* SO_BUF_LOCK, since Linux 5.14 */ };

struct repaired {
  const struct child *child;
  const struct ckpt_description *description;
  const struct ckpt_socket *socket;
  const struct ckpt_tcp *tcp;
  int fd;
  int room;  /* SO_SNDBUF as it was */
  int locks; /* SO_BUF_LOCK, likewise */
};

/* Says what stands in the way of bringing them back, as far as it can be known before anything is made. */
void check_repair(const struct job *job, const struct options *options);
/* Makes them all, deaf and in repair mode: should the restart fail, their other sides hear nothing. To be
 * called while restart has the rights that it was started with: 0, or -1 with a problem said. */
int repair_make_all(struct job *job, const struct options *options);
/* In the new process: moves them to where its descriptors are, and adds them to a list of those: 0 or -1. */
int repair_lift(const struct job *job, int *keep, size_t *count);
/* The socket with this inode, or -1. */
int repair_find(const struct job *job, uint64_t inode);
/* Lets all of them go on, in the moment before the program does: 0, or -1 with a problem said. */
int repair_let_go(const struct job *job);

/* Between the files of this: words about one of them, with errno; always -1. */
int repair_fail(const struct repaired *r, const char *what);
const struct ckpt_socket *repair_socket(const struct image *image, const struct ckpt_tcp *tcp);
/* Puts bytes of the image's blob into the queue that has been chosen, or sends them: 0 or -1. */
int repair_put(const struct repaired *r, uint64_t at, size_t size);
int repair_start_keeper(const struct job *job);

#endif
