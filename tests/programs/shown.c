/* shown DIRECTORY: has a descriptor of each kind that ckpt show has words for, from 3 on. */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "check.h"

static void files(void) {
  char bytes[8192] = {0};
  int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
  CHECK(fd == 3 && write(fd, bytes, 100) == 100);
  fd = open("data", O_RDWR | O_CREAT, 0600);
  CHECK(fd == 4 && write(fd, bytes, sizeof bytes) == sizeof bytes);
  CHECK(lseek(fd, 4096, SEEK_SET) == 4096 && flock(fd, LOCK_EX) == 0);
  CHECK(dup(fd) == 5);
  CHECK(open(".", O_RDONLY | O_DIRECTORY) == 6);
  CHECK(open("log", O_PATH) == 7);
  CHECK(open("/dev/zero", O_RDONLY) == 8);
}

static void pipes(void) {
  int ends[2], pair[2];
  CHECK(pipe(ends) == 0 && ends[0] == 9);
  CHECK(write(ends[1], "hello", 5) == 5);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == 11);
  CHECK(write(pair[0], "x", 1) == 1);
}

static void sockets(void) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
  socklen_t size = sizeof any;
  int tcp = socket(AF_INET, SOCK_STREAM, 0), tcp6 = socket(AF_INET6, SOCK_STREAM, 0);
  int udp = socket(AF_INET, SOCK_DGRAM, 0), named = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  CHECK(tcp == 13);
  CHECK(bind(tcp, (struct sockaddr *)&any, sizeof any) == 0 && listen(tcp, 5) == 0);
  CHECK(bind(tcp6, (struct sockaddr *)&any6, sizeof any6) == 0);
  CHECK(getsockname(tcp, (struct sockaddr *)&any, &size) == 0);
  CHECK(connect(udp, (struct sockaddr *)&any, size) == 0);
  CHECK(bind(named, (struct sockaddr *)&name, sizeof name) == 0 && listen(named, 5) == 0);
}

static void events(void) {
  struct itimerspec hour = {.it_value.tv_sec = 3600, .it_interval.tv_sec = 60};
  struct epoll_event in = {.events = EPOLLIN};
  sigset_t set;
  int counter = eventfd(7, 0), watcher = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
  CHECK(counter == 17);
  CHECK(epoll_ctl(watcher, EPOLL_CTL_ADD, counter, &in) == 0);
  CHECK(timerfd_settime(timer, 0, &hour, NULL) == 0);
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGRTMIN + 1);
  CHECK(signalfd(-1, &set, 0) == 20);
}

int main(int argc, char **argv) {
  CHECK(argc == 2 && chdir(argv[1]) == 0 && close_range(3, ~0u, 0) == 0);
  files();
  pipes();
  sockets();
  events();
  ready();
  wait_for_go();
  success();
}
