/* Sockets of IPv6: a listener with a client that waits, a connection with data both ways, a listener for both
 * families with a connection of IPv4, UDP sockets bound and connected, with what waits in them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

static struct sockaddr_in6 address_of(int fd) {
  struct sockaddr_in6 address;
  socklen_t size = sizeof address;
  CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0 && size == sizeof address);
  return address;
}

static int bound(int type, const struct in6_addr *to) {
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = *to};
  int fd = socket(AF_INET6, type, 0), yes = 1;
  CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
  return fd;
}

static int connected(int type, int to, const char *host) {
  struct sockaddr_in6 address = address_of(to);
  int fd = socket(AF_INET6, type, 0);
  CHECK(inet_pton(AF_INET6, host, &address.sin6_addr) == 1);
  CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  return fd;
}

static void expect(int fd, const char *words) {
  char got[16];
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  CHECK(poll(&poller, 1, 60000) == 1 && recv(fd, got, sizeof got, MSG_DONTWAIT) == (ssize_t)strlen(words));
  CHECK(memcmp(got, words, strlen(words)) == 0);
}

static void tell(int fd, const char *words) {
  CHECK(send(fd, words, strlen(words), 0) == (ssize_t)strlen(words));
}

static void expect_pair(int a, int b) {
  tell(a, "from a");
  expect(b, "from a");
  tell(b, "from b");
  expect(a, "from b");
}

static int same_address(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b) {
  return a->sin6_port == b->sin6_port && memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
}

int main(void) {
  int listener = bound(SOCK_STREAM, &in6addr_loopback), both = bound(SOCK_STREAM, &in6addr_any);
  CHECK(listen(listener, 5) == 0 && listen(both, 5) == 0);
  int client = connected(SOCK_STREAM, listener, "::1"), server = accept(listener, NULL, NULL);
  int waits = connected(SOCK_STREAM, listener, "::1");
  int mapped = connected(SOCK_STREAM, both, "::ffff:127.0.0.1"), mapped_server = accept(both, NULL, NULL);
  CHECK(server >= 0 && mapped_server >= 0);
  tell(client, "to server");
  tell(server, "to client");
  tell(mapped, "mapped");

  int udp = bound(SOCK_DGRAM, &in6addr_loopback), sender = connected(SOCK_DGRAM, udp, "::1");
  struct sockaddr_in6 udp_address = address_of(udp), sender_address = address_of(sender), from;
  tell(sender, "one");
  tell(sender, "two");

  ready();
  wait_for_go();

  expect(server, "to server");
  expect(client, "to client");
  expect(mapped_server, "mapped");
  expect_pair(client, server);
  expect_pair(mapped, mapped_server);
  int accepted = accept(listener, NULL, NULL);
  CHECK(accepted >= 0);
  expect_pair(waits, accepted);
  int again = connected(SOCK_STREAM, both, "::1"), again_server = accept(both, NULL, NULL);
  expect_pair(again, again_server);

  struct sockaddr_in6 now = address_of(udp);
  CHECK(same_address(&now, &udp_address));
  now = address_of(sender);
  CHECK(same_address(&now, &sender_address));
  char byte[16];
  socklen_t size = sizeof from;
  CHECK(recvfrom(udp, byte, sizeof byte, MSG_DONTWAIT, (struct sockaddr *)&from, &size) == 3 &&
        byte[0] == 'o');
  CHECK(same_address(&from, &sender_address));
  expect(udp, "two");
  tell(sender, "three");
  expect(udp, "three");
  success();
}
