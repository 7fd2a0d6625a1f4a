/* The kernel's answers about a unix socket. */
#ifndef CKPT_UNIX_DIAG_H
#define CKPT_UNIX_DIAG_H

#include <stdbool.h>
#include <stdint.h>

struct unix_facts {
  bool named;       /* bound to a path or an abstract name */
  bool connected;   /* there is, or was, another end */
  uint32_t peer;    /* its inode; 0: closed, or not yet accepted */
  uint8_t shutdown; /* 1: for reading, 2: for writing */
  uint8_t state;    /* TCP_* */
  uint32_t backlog; /* of one that listens */
};

/* Needs no privilege, but the kernel's unix_diag (-ENOENT without). */
long unix_diag(uint64_t inode, struct unix_facts *facts);

#endif
