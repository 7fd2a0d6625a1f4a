/* What keeps a TCP connection silent while nobody looks after it: its other side hears nothing, and tries
 * again for many minutes. */
#ifndef CKPT_TCP_SILENCE_H
#define CKPT_TCP_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Nothing arrives at this socket any more, and nothing is answered; 0 or a negative errno. */
long tcp_deafen(int fd);
long tcp_undeafen(int fd);

/* No answer leaves this machine (or begins to again) for what comes to `here`, where no socket is any more,
 * from `there`: without it the kernel resets the connection. Both are struct sockaddr_in or sockaddr_in6. The
 * socket that brings the connection back needs a mark (SO_MARK), any but 0. It is a routing rule, as `ip
 * rule` shows it, and stays until the machine starts anew. 0, also on a kernel without such rules. */
long tcp_silence(const uint8_t *here, const uint8_t *there, bool silent);

#endif
