/* Ports that connections which have ended keep for a minute (TIME_WAIT), since nobody has set SO_REUSEADDR:
 * those that were closed before the checkpoint, by either side first or by both at once, and those that a
 * kill closes. */
#include "tcp.h"

enum { PORT_RANGE = 51 /* IP_LOCAL_PORT_RANGE, since Linux 6.3 */ };

struct pair {
  int client, server;
  in_port_t client_port, server_port;
};

static char block[1 << 16];

static int listener(union address address) {
  int fd = socket(address.any.sa_family, SOCK_STREAM, 0);
  CHECK(fd >= 0 && bind(fd, &address.any, sizeof address) == 0 && listen(fd, 4) == 0);
  return fd;
}

/* A kill closes descriptors from the lowest on. */
static struct pair pair(int listener, union address to, bool server_first) {
  to.four.sin_port = port_of(listener);
  int low = dup(listener), client = socket(to.any.sa_family, SOCK_STREAM, 0);
  CHECK(low >= 0 && client >= 0 && connect(client, &to.any, sizeof to) == 0 && close(low) == 0);
  if (!server_first)
    CHECK(dup2(client, low) == low && close(client) == 0);
  int server = accept(listener, NULL, NULL);
  CHECK(server >= 0);
  struct pair pair = {server_first ? client : low, server, 0, 0};
  CHECK(server_first == (pair.server < pair.client));
  pair.client_port = port_of(pair.client);
  pair.server_port = port_of(pair.server);
  return pair;
}

static void close_both(int first, int second) {
  CHECK(close(first) == 0 && close(second) == 0);
}

/* What one side says last is still behind what the other has no room for when that says its last, too. */
static void close_at_once(struct pair pair) {
  ssize_t n;
  while (send(pair.client, block, sizeof block, MSG_DONTWAIT) > 0)
    ;
  CHECK(errno == EAGAIN && shutdown(pair.client, SHUT_WR) == 0 && shutdown(pair.server, SHUT_WR) == 0);
  while ((n = recv(pair.server, block, sizeof block, 0)) > 0)
    ;
  CHECK(n == 0);
  close_both(pair.server, pair.client);
}

static void expect_connection(struct pair pair) {
  CHECK(port_of(pair.client) == pair.client_port && port_of(pair.server) == pair.server_port);
  CHECK(address_at(pair.client, true).four.sin_port == pair.server_port);
  CHECK(address_at(pair.server, true).four.sin_port == pair.client_port);
  int reuse = -1;
  socklen_t size = sizeof reuse;
  CHECK(getsockopt(pair.client, SOL_SOCKET, SO_REUSEADDR, &reuse, &size) == 0 && reuse == 0);
  CHECK(getsockopt(pair.server, SOL_SOCKET, SO_REUSEADDR, &reuse, &size) == 0 && reuse == 0);
  char word[5];
  CHECK(send(pair.client, "there", 5, MSG_NOSIGNAL) == 5);
  CHECK(recv(pair.server, word, 5, MSG_WAITALL) == 5 && memcmp(word, "there", 5) == 0);
  CHECK(send(pair.server, "back", 4, MSG_NOSIGNAL) == 4);
  CHECK(recv(pair.client, word, 4, MSG_WAITALL) == 4 && memcmp(word, "back", 4) == 0);
}

int main(void) {
  union address four = {.four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
  union address any = {.six = {.sin6_family = AF_INET6}};
  int listens = listener(four), both = listener(any), range;
  socklen_t size = sizeof range;
  struct pair ended = pair(listens, four, true), left = pair(listens, four, true);
  close_both(ended.server, ended.client);
  close_both(left.client, left.server);
  /* Older kernels would have an ordinary user wait for a minute. */
  if (getsockopt(listens, IPPROTO_IP, PORT_RANGE, &range, &size) == 0)
    close_at_once(pair(listens, four, true));
  struct pair served = pair(listens, four, true), called = pair(listens, four, false);
  struct pair mixed = pair(both, four, true), called_mixed = pair(both, four, false);
  ready();
  wait_for_go();

  expect_connection(served);
  expect_connection(called);
  expect_connection(mixed);
  expect_connection(called_mixed);
  expect_connection(pair(listens, four, true));
  success();
}
