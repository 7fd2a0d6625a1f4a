/* The kernel's answers about a unix socket. */
#ifndef CKPT_UNIX_DIAG_H
#define CKPT_UNIX_DIAG_H

#include <stdbool.h>
#include <stdint.h>

enum { UNIX_WAITING_MOST = 960 }; /* as many as the kernel's answer has room for */

struct unix_facts {
  bool named;     /* bound to a path or an abstract name */
  bool connected; /* there is, or was, another end */
  bool listens;
  uint32_t peer;                       /* its inode; 0: closed, or not yet accepted */
  uint32_t ino, dev;                   /* of the file that it was bound to, as the kernel keeps them */
  uint8_t shutdown;                    /* 1: for reading, 2: for writing */
  uint32_t backlog;                    /* of one that listens */
  uint32_t waiting;                    /* how many wait there to be accepted */
  uint32_t clients_count;              /* those of them that the kernel tells, ... */
  uint32_t clients[UNIX_WAITING_MOST]; /* ... in their order: inodes of the sockets that have connected */
};

/* Needs no privilege, but the kernel's unix_diag (-ENOENT without). */
long unix_diag(uint64_t inode, struct unix_facts *facts);

#endif
