/* What the kernel tells about a TCP socket. */
#ifndef CKPT_TCP_H
#define CKPT_TCP_H

#include <linux/tcp.h>
#include <stdbool.h>
#include <stdint.h>

enum { TCP_STATE_CONNECTING = 2, TCP_STATE_CLOSE = 7, TCP_STATE_CLOSE_WAIT = 8, TCP_STATE_LISTEN = 10 };

long tcp_ask(int fd, struct tcp_info *info);
/* Does the program not write any more, in this state? */
bool tcp_has_said_end(uint32_t state);

struct ckpt_socket;
struct looking;
/* The peer address of one that is connecting; none, when it is not any more. */
long find_destination(struct looking *l, struct ckpt_socket *socket); /* tcp_destination.c */

#endif
