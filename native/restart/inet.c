/* TCP and UDP sockets that are no connections. */
#include "inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

socklen_t inet_address(union address *address, const struct ckpt_socket *socket, const uint8_t *bytes) {
  memset(address, 0, sizeof *address);
  memcpy(address->bytes, bytes, sizeof address->bytes);
  address->any.sa_family = (sa_family_t)socket->domain;
  return socket->domain == AF_INET ? sizeof address->four : sizeof address->six;
}

socklen_t inet_loopback(union address *address, int domain) {
  memset(address, 0, sizeof *address);
  address->any.sa_family = (sa_family_t)domain;
  if (domain == AF_INET) {
    address->four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof address->four;
  }
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &address->six.sin6_addr);
  return sizeof address->six;
}

const char *inet_words(const union address *address, char *words) {
  char host[INET6_ADDRSTRLEN] = "?";
  bool four = address->any.sa_family == AF_INET;
  inet_ntop(address->any.sa_family, four ? (const void *)&address->four.sin_addr : &address->six.sin6_addr,
            host, sizeof host);
  snprintf(words, INET_WORDS, four ? "%s:%u" : "[%s]:%u", host,
           ntohs(four ? address->four.sin_port : address->six.sin6_port));
  return words;
}

/* Without SO_REUSEADDR, what lingers of old connections keeps the port for a minute: as for every server. */
static int bind_again(const struct ckpt_socket *socket_was, int fd) {
  union address address;
  char words[INET_WORDS];
  socklen_t size = inet_address(&address, socket_was, socket_was->address);
  if (bind(fd, &address.any, size) < 0)
    return say_problem("cannot bind a socket to %s again: %s", inet_words(&address, words), strerror(errno));
  if (socket_was->flags & CKPT_SOCKET_LISTENS && listen(fd, (int)socket_was->backlog) < 0)
    return say_problem("cannot listen at %s again: %s", inet_words(&address, words), strerror(errno));
  return 0;
}

static int connect_again(const struct ckpt_socket *socket_was, int fd) {
  union address address;
  char words[INET_WORDS];
  socklen_t size = inet_address(&address, socket_was, socket_was->peer_address);
  if (connect(fd, &address.any, size) < 0)
    return say_problem("cannot connect a UDP socket to %s again: %s", inet_words(&address, words),
                       strerror(errno));
  return 0;
}

int inet_make(const struct child *child, const struct ckpt_description *d) {
  const struct ckpt_socket *was = &child->image->sockets[d->a];
  bool tcp = was->type == SOCK_STREAM;
  int yes = 1, fd = socket(was->domain, was->type | SOCK_CLOEXEC, tcp ? IPPROTO_TCP : IPPROTO_UDP);
  fd = descriptor_lift(child, fd, "a socket");
  if (fd < 0)
    return -1;
  /* Some must be there before it is bound. The program's own connections hold the port already. */
  socket_set_options(child, d, fd);
  if (tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
    return say_problem("cannot set up a socket: %s", strerror(errno));
  if (was->flags & CKPT_SOCKET_BOUND && bind_again(was, fd) < 0)
    return -1;
  if (!tcp && was->flags & CKPT_SOCKET_CONNECTED && connect_again(was, fd) < 0)
    return -1;
  socket_set_options(child, d, fd);
  return fd;
}
