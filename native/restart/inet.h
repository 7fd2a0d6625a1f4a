/* Addresses of TCP and UDP sockets. */
#ifndef RESTART_INET_H
#define RESTART_INET_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include "descriptors.h"

enum { INET_WORDS = 64 };

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  uint8_t bytes[32];
};

/* The length of the address. `bytes` are those of this socket's own or its peer's. */
socklen_t inet_address(union address *address, const struct ckpt_socket *socket, const uint8_t *bytes);
/* 127.0.0.1 in the words of either family, port 0. */
socklen_t inet_loopback(union address *address, int domain);
/* The address for people, in a buffer of the caller's of INET_WORDS bytes. */
const char *inet_words(const union address *address, char *words);

/* Sends what waited in a UDP socket to it again. */
void udp_fill(const struct child *child, uint32_t index);

/* The socket of this description, when it is a TCP connection to the outside that was alive; else null. */
const struct ckpt_socket *connection_to_outside(const struct image *image, uint32_t description);
/* Makes all TCP connections, what listens, and those that wait there to be accepted: 0 or -1. */
int tcp_make_all(struct child *child);
/* Before and after a connection is filled with this many bytes: 0, or -1 with a problem said. */
int tcp_make_room(const struct child *child, uint32_t index, uint64_t size);
int tcp_wait_for(const struct child *child, uint32_t index);
/* Makes it what it was, once it is filled: 0 or -1. */
int tcp_finish(const struct child *child, uint32_t index);

#endif
