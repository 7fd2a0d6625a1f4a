/* TCP and UDP sockets. What listened listens again; a connection is gone with the process that had it, and
 * comes back as one that the other side has reset. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "say.h"

enum { RESET_MS = 5000 };

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  uint8_t bytes[32];
};

static socklen_t take_address(union address *address, const struct ckpt_socket *socket,
                              const uint8_t *bytes) {
  memset(address, 0, sizeof *address);
  memcpy(address->bytes, bytes, sizeof address->bytes);
  address->any.sa_family = (sa_family_t)socket->domain;
  return socket->domain == AF_INET ? sizeof address->four : sizeof address->six;
}

static void in_words(const union address *address, char *words, size_t size) {
  char host[INET6_ADDRSTRLEN] = "?";
  bool four = address->any.sa_family == AF_INET;
  inet_ntop(address->any.sa_family, four ? (const void *)&address->four.sin_addr : &address->six.sin6_addr,
            host, sizeof host);
  snprintf(words, size, four ? "%s:%u" : "[%s]:%u", host,
           ntohs(four ? address->four.sin_port : address->six.sin6_port));
}

/* 127.0.0.1 in the words of either family. */
static socklen_t loopback(union address *address, int domain) {
  memset(address, 0, sizeof *address);
  address->any.sa_family = (sa_family_t)domain;
  if (domain == AF_INET) {
    address->four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof address->four;
  }
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &address->six.sin6_addr);
  return sizeof address->six;
}

/* Connects it to a socket of ours, which breaks the connection at once. */
static int reset_connection(int fd, int listener, int domain) {
  union address address;
  socklen_t size = loopback(&address, domain);
  struct linger at_once = {.l_onoff = 1};
  struct pollfd poller = {.fd = fd, .events = POLLRDHUP};
  if (bind(listener, &address.any, size) < 0 || listen(listener, 1) < 0 ||
      getsockname(listener, &address.any, &size) < 0 || connect(fd, &address.any, size) < 0)
    return -1;
  int other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (other < 0)
    return -1;
  int result = setsockopt(other, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(other);
  return result < 0 || poll(&poller, 1, RESET_MS) != 1 ? -1 : 0;
}

static int make_reset(const struct child *child, const struct ckpt_description *d, int fd) {
  const struct ckpt_socket *socket_was = &child->image->sockets[d->a];
  int listener = socket(socket_was->domain, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  int result = listener < 0 ? -1 : reset_connection(fd, listener, socket_was->domain);
  if (result < 0)
    say_problem("cannot make a broken connection over 127.0.0.1: %s", strerror(errno));
  if (listener >= 0)
    close(listener);
  return result < 0 ? -1 : fd;
}

/* Without SO_REUSEADDR, what lingers of old connections keeps the port for a minute: as for every server. */
static int bind_again(const struct ckpt_socket *socket_was, int fd) {
  union address address;
  char words[64];
  socklen_t size = take_address(&address, socket_was, socket_was->address);
  in_words(&address, words, sizeof words);
  if (bind(fd, &address.any, size) < 0)
    return say_problem("cannot bind a socket to %s again: %s", words, strerror(errno));
  if (socket_was->flags & CKPT_SOCKET_LISTENS && listen(fd, (int)socket_was->backlog) < 0)
    return say_problem("cannot listen at %s again: %s", words, strerror(errno));
  return 0;
}

static int connect_again(const struct ckpt_socket *socket_was, int fd) {
  union address address;
  char words[64];
  socklen_t size = take_address(&address, socket_was, socket_was->peer_address);
  in_words(&address, words, sizeof words);
  if (connect(fd, &address.any, size) < 0)
    return say_problem("cannot connect a UDP socket to %s again: %s", words, strerror(errno));
  return 0;
}

int inet_make(const struct child *child, const struct ckpt_description *d) {
  const struct ckpt_socket *was = &child->image->sockets[d->a];
  bool tcp = was->type == SOCK_STREAM;
  bool connected = was->flags & CKPT_SOCKET_CONNECTED;
  int fd = socket(was->domain, was->type | SOCK_CLOEXEC, tcp ? IPPROTO_TCP : IPPROTO_UDP);
  fd = descriptor_lift(child, fd, "a socket");
  if (fd < 0)
    return -1;
  if (tcp && connected) {
    if (make_reset(child, d, fd) < 0)
      return -1;
    say_warning("%s was a TCP connection: the program finds it reset by the other side",
                image_string(child->image, d->name));
    return fd;
  }
  /* Some must be there before it is bound. */
  socket_set_options(child, d, fd);
  if (was->flags & CKPT_SOCKET_BOUND && bind_again(was, fd) < 0)
    return -1;
  if (connected && connect_again(was, fd) < 0)
    return -1;
  socket_set_options(child, d, fd);
  return fd;
}
