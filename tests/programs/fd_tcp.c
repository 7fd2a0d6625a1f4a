/* TCP connections within the process: what waits in them, ends that are shut, both families, and one that
 * waits to be accepted. */
#include <fcntl.h>

#include "tcp.h"

static char block[BIG];

struct pair {
  int client, server;
};

static void set(int fd, int level, int name, int value) {
  CHECK(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

static int listener(union address address, bool reuse) {
  int fd = socket(address.any.sa_family, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  if (reuse)
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  CHECK(bind(fd, &address.any, sizeof address) == 0 && listen(fd, 4) == 0);
  return fd;
}

static int connected(int listener, union address to) {
  int fd = socket(to.any.sa_family, SOCK_STREAM, 0);
  to.four.sin_port = port_of(listener);
  CHECK(fd >= 0 && connect(fd, &to.any, sizeof to) == 0);
  return fd;
}

static struct pair pair(int listener, union address to) {
  struct pair pair = {.client = connected(listener, to)};
  pair.server = accept(listener, NULL, NULL);
  CHECK(pair.server >= 0);
  return pair;
}

/* The loopback address of IPv6, where there is one. */
static union address six_or(union address four) {
  union address six = {.six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  return fd >= 0 && bind(fd, &six.any, sizeof six) == 0 && close(fd) == 0 ? six : four;
}

/* Both ways, and each end knows the other. */
static void expect_connection(struct pair pair) {
  CHECK(port_of(pair.client) == address_at(pair.server, true).four.sin_port);
  CHECK(address_at(pair.client, true).four.sin_port == port_of(pair.server));
  put(pair.client, "there", 5);
  expect(pair.server, "there", 5);
  put(pair.server, "back", 4);
  expect(pair.client, "back", 4);
}

int main(void) {
  union address four = {.four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
  union address any = {.six = {.sin6_family = AF_INET6}};
  for (int i = 0; i < BIG; i++)
    block[i] = (char)(i * 31 + i / 256);
  int listens = listener(four, true), both = listener(any, true), once = listener(four, true);
  struct pair plain = pair(listens, four), mixed = pair(both, four), newer = pair(both, six_or(four));
  struct pair full = pair(listens, four), small = pair(listens, four), held = pair(listens, four);
  struct pair half = pair(listens, four), over = pair(listens, four), left = pair(listens, four);
  struct pair alone = pair(once, four);
  in_port_t port = port_of(plain.server);
  CHECK(close(once) == 0);
  set(plain.client, IPPROTO_TCP, TCP_NODELAY, 1);
  set(plain.server, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(plain.server, IPPROTO_TCP, TCP_KEEPIDLE, 77);
  put(plain.client, "to server", 9);
  put(plain.server, "to client", 9);
  put(mixed.client, "mixed", 5);
  put(newer.server, "newer", 5);
  size_t filled = flood(full.client, block);
  set(small.server, SOL_SOCKET, SO_RCVBUF, 20000);
  put(small.client, block, 100000);
  set(held.client, IPPROTO_TCP, TCP_CORK, 1);
  put(held.client, "held", 4);
  put(half.client, "last words", 10);
  CHECK(shutdown(half.client, SHUT_WR) == 0);
  put(over.client, "a", 1);
  put(over.server, "b", 1);
  CHECK(shutdown(over.client, SHUT_WR) == 0 && shutdown(over.server, SHUT_WR) == 0);
  put(left.server, "left", 4);
  CHECK(close(left.server) == 0);
  struct pair cut = pair(listens, four);
  size_t more = flood(cut.server, block);
  CHECK(close(cut.server) == 0);
  int waiting = connected(listens, four);
  ready();
  wait_for_go();

  expect(plain.server, "to server", 9);
  expect(plain.client, "to client", 9);
  CHECK(option(plain.client, IPPROTO_TCP, TCP_NODELAY) && !option(plain.server, IPPROTO_TCP, TCP_NODELAY));
  CHECK(option(plain.server, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(plain.server, IPPROTO_TCP, TCP_KEEPIDLE) == 77);
  CHECK(option(plain.server, SOL_SOCKET, SO_REUSEADDR) == 1 &&
        !option(plain.client, SOL_SOCKET, SO_REUSEADDR));
  CHECK(option(plain.server, SOL_SOCKET, SO_RCVLOWAT) == 1);
  CHECK(port_of(plain.server) == port);
  expect_connection(plain);
  expect(mixed.server, "mixed", 5);
  expect(newer.client, "newer", 5);
  expect_connection(mixed);
  expect_connection(newer);
  expect_connection(alone);
  CHECK(address_at(mixed.server, true).any.sa_family == AF_INET6);
  expect(full.server, block, filled);
  expect_connection(full);
  CHECK(option(small.server, SOL_SOCKET, SO_RCVBUF) == 40000);
  expect(small.server, block, 100000);
  expect_connection(small);
  CHECK(option(held.client, IPPROTO_TCP, TCP_CORK) == 1);
  set(held.client, IPPROTO_TCP, TCP_CORK, 0);
  expect(held.server, "held", 4);
  expect(half.server, "last words", 10);
  expect(half.server, "", 0);
  put(half.server, "answer", 6);
  expect(half.client, "answer", 6);
  CHECK(send(half.client, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  expect(over.server, "a", 1);
  expect(over.client, "b", 1);
  expect(over.server, "", 0);
  expect(over.client, "", 0);
  expect(left.client, "left", 4);
  expect(left.client, "", 0);
  expect(cut.client, block, more);
  expect(cut.client, "", 0);
  struct pair late = {.client = waiting, .server = accept(listens, NULL, NULL)};
  expect_connection(late);
  expect_connection(pair(listens, four));
  success();
}
