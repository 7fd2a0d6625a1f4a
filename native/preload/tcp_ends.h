/* The ends of TCP connections and the sockets that listen, of all processes of a job: who is connected to
 * whom, while all stand still. */
#ifndef CKPT_TCP_ENDS_H
#define CKPT_TCP_ENDS_H

#include "checkpoint.h"

/* The same in both families: a socket of one may be connected to one of the other. */
struct place {
  uint8_t host[16];
  uint8_t port[2];
};

struct tcp_end {
  uint64_t inode;
  uint64_t net;     /* the cookie of its network namespace */
  uint64_t peer;    /* inode of the other end, or of what listens where it waits; 0: not in the job */
  uint64_t written; /* bytes that the program has written to it */
  uint32_t listens;
  uint32_t waiting; /* of one that listens: how many wait to be accepted */
  uint32_t turn;    /* of one that waits: its place, from 1; of one that listens: how many are known */
  uint32_t waits;   /* to be accepted by `peer` */
  uint32_t silent;  /* nothing has come from its other end */
  uint32_t pad;
  struct place here, there;
};

/* Is it that of this address (struct sockaddr_*)? */
bool place_is(const struct place *place, const uint8_t *address);

/* Adds the TCP socket `fd` to c->tcp_ends, if it is one of a kind that belongs there. */
long add_tcp_end(struct checkpoint *c, int fd, uint64_t inode);
/* Finds the peers of those that have none yet. */
void match_tcp_ends(struct checkpoint *c);
/* The one with this inode, or null. */
const struct tcp_end *tcp_end_of(const struct checkpoint *c, uint64_t inode);

#endif
