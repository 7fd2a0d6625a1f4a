/* What the kernel tells about a TCP socket. */
#ifndef CKPT_TCP_H
#define CKPT_TCP_H

#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint.h"

enum {
  TCP_STATE_ESTABLISHED = 1,
  TCP_STATE_CONNECTING = 2,
  TCP_STATE_SYN_RECV = 3,
  TCP_STATE_FIN_WAIT1 = 4,
  TCP_STATE_FIN_WAIT2 = 5,
  TCP_STATE_TIME_WAIT = 6,
  TCP_STATE_CLOSE = 7,
  TCP_STATE_CLOSE_WAIT = 8,
  TCP_STATE_LAST_ACK = 9,
  TCP_STATE_LISTEN = 10,
  TCP_STATE_CLOSING = 11,
};

long tcp_ask(int fd, struct tcp_info *info);
/* Does the program not write any more, in this state? */
bool tcp_has_said_end(uint32_t state);

struct ckpt_socket;
struct looking;
/* inet.c: how the connection stands. */
void describe_tcp(const struct looking *l, struct ckpt_socket *socket);
/* Urgent data, or the place of some that has been read: nobody can put that back. */
bool tcp_is_urgent(const struct looking *l);
int tcp_count(int fd, unsigned long what);
/* Puts what waits to be read there, if anything does, into the blob. */
long peek_stream(struct looking *l, size_t description);

/* tcp_repair.c: is it a connection to the outside that the image is to hold? Then it is chosen for that,
 * which is done once all processes have described theirs. */
bool is_to_be_repaired(const struct checkpoint *c, const struct ckpt_socket *socket);
long choose_tcp(struct looking *l, const struct ckpt_socket *socket, size_t description);

/* The peer address of one that is connecting; none, when it is not any more. */
long find_destination(struct looking *l, struct ckpt_socket *socket); /* tcp_destination.c */

#endif
