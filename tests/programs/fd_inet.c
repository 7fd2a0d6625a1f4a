/* TCP sockets that listen, UDP sockets, and one that is not yet anything. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "check.h"

static struct sockaddr_in local(void) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_in bind_somewhere(int fd) {
  struct sockaddr_in address = local();
  socklen_t size = sizeof address;
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

static int connect_to(struct sockaddr_in address) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  return fd;
}

int main(void) {
  int yes = 1;
  char byte;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
  int sender = socket(AF_INET, SOCK_DGRAM, 0), fresh = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK(setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
  CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  struct sockaddr_in there = bind_somewhere(listener), receiver = bind_somewhere(udp);
  CHECK(listen(listener, 5) == 0);
  CHECK(connect(sender, (struct sockaddr *)&receiver, sizeof receiver) == 0);
  int set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, listener, &event) == 0);
  ready();
  wait_for_go();

  CHECK(fcntl(listener, F_GETFL) & O_NONBLOCK && option(listener, SOL_SOCKET, SO_ACCEPTCONN) == 1);
  CHECK(option(listener, SOL_SOCKET, SO_REUSEADDR) == 1 && option(fresh, IPPROTO_TCP, TCP_NODELAY) == 1);
  int again = connect_to(there);
  struct epoll_event got;
  CHECK(epoll_wait(set, &got, 1, 5000) == 1 && got.data.u64 == 1);
  int accepted = accept(listener, NULL, NULL);
  CHECK(accepted >= 0 && write(again, "x", 1) == 1 && read(accepted, &byte, 1) == 1 && byte == 'x');
  CHECK(send(sender, "d", 1, 0) == 1 && recv(udp, &byte, 1, 0) == 1 && byte == 'd');
  success();
}
