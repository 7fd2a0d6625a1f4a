/* What all processes of a job have open and mapped: from this each learns what is shared, and who saves it.
 */
#ifndef CKPT_OPEN_FILES_H
#define CKPT_OPEN_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint.h"

/* One descriptor of one process, or one shared mapping: from these all members learn what is shared. */
struct open_file {
  uint64_t dev, ino;
  uint32_t process;   /* the leader is 0 */
  int32_t pid;        /* its id */
  int32_t fd;         /* -1: a mapping */
  uint32_t flags;     /* O_*; of a mapping PROT_* */
  uint32_t id;        /* the same for all that refer to one open file description; 0: only one process does */
  uint32_t outside;   /* there when the program was started: 1 + its number then; 0: not so */
  bool nameless;      /* no directory has it */
  bool tcp;           /* a TCP socket */
  bool unix_listener; /* a unix socket that listens */
  bool unix_end;      /* one that does not: descriptors may be in flight in it */
  bool master;        /* of a pseudoterminal */
  bool in_flight;     /* peeked out of a socket: the program has it under no number */
  uint32_t terminal;  /* device of the pseudoterminal that it is a side of, or 0 */
  uint64_t start, end; /* of a mapping: in the file */
};

/* open_files.c */
long open_files_list(struct checkpoint *c);
/* Gives an id to each description that more than one process has. */
long open_files_compare(struct checkpoint *c);
/* Open files, then who is left out, then TCP ends, in a memfd: the descriptor. */
long open_files_send(struct checkpoint *c);
/* Adds those of a member, that are `files` of them, from a memfd to the leader's; in a member (process 0)
 * puts the leader's in the place of all that it has. */
long open_files_receive(struct checkpoint *c, int fd, uint64_t files, uint32_t process);
/* Once all stand still: adds the calling process's TCP ends, and the descriptors in flight in its unix
 * sockets, where it is the one to look at them. */
long open_files_list_more(struct checkpoint *c);
/* Are there sockets from this place on at which all are to look once they stand still? */
bool open_files_have_ends(const struct checkpoint *c, size_t first);
/* The id of this process's descriptor, 0 when no other process shares it. */
uint32_t shared_id(const struct checkpoint *c, int fd);
/* Has some process this inode open, of the kind that `fd` is? */
bool another_has(const struct checkpoint *c, int fd, uint64_t inode);
/* Of those that share a description, or have an opening of this inode that can be read: is this process the
 * one that saves what waits in it? */
bool carries_shared(const struct checkpoint *c, uint32_t id);
bool carries_inode(const struct checkpoint *c, uint64_t dev, uint64_t ino);
/* Is it one of the job's processes that have something open? */
bool is_in_job(const struct checkpoint *c, int32_t pid);

/* in_flight.c: adds those in the unix sockets that it is the calling process's to look into, and has not
 * looked into before. */
long find_in_flight(struct checkpoint *c);

/* same_file.c */
struct file_of {
  int32_t tid;
  const struct open_file *file;
};
/* In the leader. 1: one open file description, 0: two; else words say of what it cannot be told. */
long is_same_file(struct checkpoint *c, const struct file_of *a, const struct file_of *b);

/* shared_maps.c */
/* Adds the calling process's shared mappings to its open files. */
long shared_maps_list(struct checkpoint *c);
/* Have processes before this one all of [start, end) of a file mapped? Then they save it. */
bool saved_before(const struct checkpoint *c, uint64_t dev, uint64_t ino, uint64_t start, uint64_t end);
/* Has one of them it mapped to be written? */
bool written_before(const struct checkpoint *c, uint64_t dev, uint64_t ino);
/* Has another process before `end` it open, without a name? Then that carries it. */
bool open_elsewhere(const struct checkpoint *c, uint64_t dev, uint64_t ino, uint32_t end);

#endif
