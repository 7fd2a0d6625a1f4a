/* What test programs of TCP share. */
#ifndef TESTS_TCP_H
#define TESTS_TCP_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "check.h"

/* More than there is room for on the way. */
#define BIG (8 << 20)

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

static inline union address address_at(int fd, bool peer) {
  union address address = {0};
  socklen_t size = sizeof address;
  CHECK((peer ? getpeername : getsockname)(fd, &address.any, &size) == 0);
  return address;
}

/* At the same place in both families. */
static inline in_port_t port_of(int fd) {
  return address_at(fd, false).four.sin_port;
}

static inline void put(int fd, const char *bytes, size_t size) {
  CHECK(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* These bytes, or the end when there are none. */
static inline void expect(int fd, const char *bytes, size_t size) {
  static char got[BIG];
  ssize_t n = recv(fd, got, size ? size : 1, size ? MSG_WAITALL : 0);
  if (n != (ssize_t)size || memcmp(got, bytes, size) != 0)
    FAIL("process %d, descriptor %d: %zd of %zu bytes (%s)", getpid(), fd, n, size, strerror(errno));
}

/* As much as it takes. */
static inline size_t flood(int fd, const char block[BIG]) {
  size_t sent = 0;
  for (ssize_t n; sent < BIG && (n = send(fd, block + sent, 50000, MSG_DONTWAIT)) > 0;)
    sent += (size_t)n;
  CHECK(sent > 100000 && sent < BIG);
  return sent;
}

#endif
