/* TCP sockets that listen, one that is connecting, one that is not yet anything, UDP sockets, multicast
 * groups and options. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "check.h"

static struct sockaddr_in local(void) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_in bind_somewhere(int fd) {
  struct sockaddr_in address = local();
  socklen_t size = sizeof address;
  int yes = 1; /* its old connections may linger */
  CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
  return address;
}

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

static struct sockaddr_in address_of(int fd) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
  return address;
}

static void expect_datagram(int fd, const char *words, struct sockaddr_in sender) {
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  char got[10];
  ssize_t n = recvfrom(fd, got, sizeof got, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
  CHECK(n == (ssize_t)strlen(words) && memcmp(got, words, (size_t)n) == 0);
  CHECK(from.sin_port == sender.sin_port && from.sin_addr.s_addr == sender.sin_addr.s_addr);
}

/* Until there is one after so many bytes: from another processor it comes later than it was sent. */
static void wait_for_datagram(int fd, int after) {
  const int off = -1;
  char byte;
  CHECK(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &after, sizeof after) == 0);
  CHECK(recv(fd, &byte, 1, MSG_PEEK) == 1);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off) == 0);
}

static int connect_to(struct sockaddr_in address) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  return fd;
}

static const struct {
  int level, name, value;
} tcp_options[] = {
    {SOL_SOCKET, SO_TIMESTAMPNS, 1},
    {SOL_SOCKET, SO_DONTROUTE, 1},
    {IPPROTO_IP, IP_RECVERR, 1},
    {IPPROTO_IP, IP_FREEBIND, 1},
    {IPPROTO_IP, IP_MTU_DISCOVER, 3},
    {IPPROTO_TCP, TCP_SYNCNT, 3},
    {IPPROTO_TCP, TCP_LINGER2, 7},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 3},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 12345},
    {IPPROTO_TCP, TCP_FASTOPEN, 5},
};

enum { TCP_OPTIONS = sizeof tcp_options / sizeof tcp_options[0] };

static int with_options(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  bind_somewhere(fd);
  CHECK(listen(fd, 9) == 0);
  for (int i = 0; i < TCP_OPTIONS; i++)
    CHECK(setsockopt(fd, tcp_options[i].level, tcp_options[i].name, &tcp_options[i].value, sizeof(int)) == 0);
  return fd;
}

static void expect_options(int fd, const int before[TCP_OPTIONS]) {
  for (int i = 0; i < TCP_OPTIONS; i++)
    CHECK(option(fd, tcp_options[i].level, tcp_options[i].name) == before[i]);
}

/* A socket that hears what is sent to a group, over the loopback interface only. */
static int member(struct sockaddr_in *to) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ip_mreqn group = {.imr_ifindex = (int)if_nametoindex("lo")};
  struct sockaddr_in any = {.sin_family = AF_INET};
  socklen_t size = sizeof *to;
  CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0);
  CHECK(getsockname(fd, (struct sockaddr *)to, &size) == 0);
  CHECK(inet_pton(AF_INET, "239.1.2.3", &group.imr_multiaddr) == 1);
  CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0);
  to->sin_addr = group.imr_multiaddr;
  return fd;
}

static void expect_heard(int member, const struct sockaddr_in *to) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ip_mreqn from = {.imr_ifindex = (int)if_nametoindex("lo")};
  struct pollfd poller = {.fd = member, .events = POLLIN};
  char byte;
  CHECK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof from) == 0);
  CHECK(sendto(fd, "m", 1, 0, (const struct sockaddr *)to, sizeof *to) == 1);
  CHECK(poll(&poller, 1, 60000) == 1 && recv(member, &byte, 1, 0) == 1 && byte == 'm');
}

/* Few machines can send to a group of IPv6 over that interface, and some have no IPv6: then -1. */
static int member_six(struct sockaddr_in6 *group) {
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  struct ipv6_mreq request = {.ipv6mr_interface = if_nametoindex("lo")};
  CHECK(inet_pton(AF_INET6, "ff02::1234", &request.ipv6mr_multiaddr) == 1);
  *group = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = request.ipv6mr_multiaddr};
  return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0 ? fd : -1;
}

static void expect_member(int fd, const struct sockaddr_in6 *group) {
  uint32_t mode, senders = 0;
  struct sockaddr_storage sender;
  CHECK(fd < 0 || getsourcefilter(fd, if_nametoindex("lo"), (const struct sockaddr *)group, sizeof *group,
                                  &mode, &senders, &sender) == 0);
}

/* A listener whose queue is full, and one who is kept waiting in front of it. */
static int connecting(int *listener) {
  *listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in there = bind_somewhere(*listener);
  CHECK(listen(*listener, 0) == 0);
  connect_to(there);
  struct pollfd poller = {.fd = *listener, .events = POLLIN};
  CHECK(poll(&poller, 1, 60000) == 1); /* until then there is room for the next */
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK(connect(fd, (struct sockaddr *)&there, sizeof there) == -1 && errno == EINPROGRESS);
  return fd;
}

static void expect_connected(int fd, int listener) {
  struct pollfd poller = {.fd = fd, .events = POLLOUT};
  char byte;
  CHECK(accept(listener, NULL, NULL) >= 0 && poll(&poller, 1, 60000) == 1 && poller.revents == POLLOUT);
  CHECK(option(fd, SOL_SOCKET, SO_ERROR) == 0 && write(fd, "c", 1) == 1);
  int accepted = accept(listener, NULL, NULL);
  CHECK(accepted >= 0 && read(accepted, &byte, 1) == 1 && byte == 'c');
}

int main(void) {
  int yes = 1, before[TCP_OPTIONS], full;
  struct sockaddr_in group;
  struct sockaddr_in6 group_six;
  char byte;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
  int sender = socket(AF_INET, SOCK_DGRAM, 0), fresh = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK(setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
  struct sockaddr_in there = bind_somewhere(listener), receiver = bind_somewhere(udp);
  CHECK(listen(listener, 5) == 0);
  CHECK(connect(sender, (struct sockaddr *)&receiver, sizeof receiver) == 0);
  int set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, listener, &event) == 0);
  int optional = with_options(), late = connecting(&full);
  for (int i = 0; i < TCP_OPTIONS; i++)
    before[i] = option(optional, tcp_options[i].level, tcp_options[i].name);
  int hears = member(&group), hears_six = member_six(&group_six);
  int stray = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in strayed = bind_somewhere(stray), sent = address_of(sender);
  CHECK(send(sender, "waits", 5, 0) == 5);
  wait_for_datagram(udp, 0);
  CHECK(sendto(stray, "strayed", 7, 0, (struct sockaddr *)&receiver, sizeof receiver) == 7 &&
        close(stray) == 0);
  wait_for_datagram(udp, 5);
  ready();
  wait_for_go();

  CHECK(fcntl(listener, F_GETFL) & O_NONBLOCK && option(listener, SOL_SOCKET, SO_ACCEPTCONN) == 1);
  CHECK(option(listener, SOL_SOCKET, SO_REUSEADDR) == 1 && option(fresh, IPPROTO_TCP, TCP_NODELAY) == 1);
  int again = connect_to(there);
  struct epoll_event got;
  CHECK(epoll_wait(set, &got, 1, 60000) == 1 && got.data.u64 == 1);
  int accepted = accept(listener, NULL, NULL);
  CHECK(accepted >= 0 && write(again, "x", 1) == 1 && read(accepted, &byte, 1) == 1 && byte == 'x');
  expect_datagram(udp, "waits", sent);
  expect_datagram(udp, "strayed", strayed);
  CHECK(send(sender, "d", 1, 0) == 1 && recv(udp, &byte, 1, 0) == 1 && byte == 'd');
  expect_options(optional, before);
  expect_heard(hears, &group);
  expect_member(hears_six, &group_six);
  expect_connected(late, full);
  success();
}
