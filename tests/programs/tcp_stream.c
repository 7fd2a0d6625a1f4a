/* One end of a TCP connection, told line by line what to do: `tcp_stream connect|accept HERE PORT [THERE]`.
 * With BESIDE in its environment it has had other sockets before that one.
 * What it writes is a sequence in which each byte tells its place, and what it reads must be that without gap
 * or repeat. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "check.h"

enum { BLOCK = 1 << 16 };
#define ALL ~0ul /* to the end */

static unsigned char block[BLOCK];

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

static unsigned char byte_at(unsigned long place) {
  unsigned long state = place / 8 + 1;
  return (unsigned char)(next_number(&state) * 0x9e3779b97f4a7c15 >> place % 8 * 8);
}

static union address address_of(const char *host, int port) {
  union address address = {.four.sin_family = AF_INET};
  if (inet_pton(AF_INET, host, &address.four.sin_addr) == 1) {
    address.four.sin_port = htons((in_port_t)port);
    return address;
  }
  address.six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port)};
  CHECK(inet_pton(AF_INET6, host, &address.six.sin6_addr) == 1);
  return address;
}

static int make(const char *host, int port) {
  union address here = address_of(host, port);
  int yes = 1, fd = socket(here.any.sa_family, SOCK_STREAM, 0);
  CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  CHECK(bind(fd, &here.any, sizeof here) == 0);
  return fd;
}

static int open_connection(int argc, char **argv) {
  int others[2];
  CHECK(!getenv("BESIDE") || socketpair(AF_UNIX, SOCK_STREAM, 0, others) == 0);
  CHECK(argc == 5 || argc == 4);
  bool connects = strcmp(argv[1], "connect") == 0;
  int port = atoi(argv[3]), fd = make(argv[2], connects ? 0 : port);
  if (connects) {
    union address there = address_of(argv[4], port);
    CHECK(connect(fd, &there.any, sizeof there) == 0);
    return fd;
  }
  CHECK(listen(fd, 1) == 0);
  say("LISTENS\n");
  int accepted = accept(fd, NULL, NULL);
  CHECK(accepted >= 0 && close(fd) == 0);
  return accepted;
}

/* Up to `size` bytes; fewer when it may not wait and there is no room. */
static unsigned long put(int fd, unsigned long *place, unsigned long size, int flags) {
  unsigned long done = 0;
  while (done < size) {
    size_t part = size - done < BLOCK ? size - done : BLOCK;
    for (size_t i = 0; i < part; i++)
      block[i] = byte_at(*place + i);
    ssize_t n = send(fd, block, part, flags | MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
      break;
    CHECK(n > 0);
    *place += (unsigned long)n;
    done += (unsigned long)n;
  }
  return done;
}

/* Until a line comes: as much as there is room for, or (with a pause of so many microseconds) a byte at a
 * time. */
static unsigned long pour(int fd, unsigned long *place, unsigned long pause) {
  const struct timespec span = {.tv_nsec = (long)pause * 1000};
  struct pollfd orders = {.fd = 0, .events = POLLIN};
  char line[64];
  while (poll(&orders, 1, 0) == 0) {
    CHECK(put(fd, place, pause ? 1 : BLOCK, 0) > 0);
    if (pause)
      nanosleep(&span, NULL);
  }
  read_line(line, sizeof line);
  return *place;
}

static void take(int fd, unsigned long *place, unsigned long size) {
  while (size) {
    ssize_t n = recv(fd, block, size < BLOCK ? size : BLOCK, 0);
    if (n == 0 && size == ALL)
      return;
    if (n <= 0)
      FAIL("after %lu bytes: %zd (%s)", *place, n, n < 0 ? strerror(errno) : "end");
    for (ssize_t i = 0; i < n; i++)
      if (block[i] != byte_at(*place + (unsigned long)i))
        FAIL("byte %lu is not what was sent", *place + (unsigned long)i);
    *place += (unsigned long)n;
    size -= size == ALL ? 0 : (unsigned long)n;
  }
}

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

/* ---- A child that has it from a fork ------------------------------------------------------------------ */

struct work {
  unsigned long place, size;
};

static int orders[2], answers[2];

static void start_child(int fd) {
  CHECK(pipe(orders) == 0 && pipe(answers) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child)
    return;
  CHECK(close(orders[1]) == 0);
  for (struct work work; read(orders[0], &work, sizeof work) == sizeof work;) {
    take(fd, &work.place, work.size);
    CHECK(write(answers[1], &work, sizeof work) == sizeof work);
  }
  _exit(0);
}

static void let_child_take(unsigned long *place, unsigned long size) {
  struct work work = {*place, size};
  CHECK(write(orders[1], &work, sizeof work) == sizeof work);
  CHECK(read(answers[0], &work, sizeof work) == sizeof work);
  *place = work.place;
}

/* ------------------------------------------------------------------------------------------------------- */

/* Until so many bytes wait to be read. */
static void await(int fd, int size) {
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  int before = option(fd, SOL_SOCKET, SO_RCVLOWAT);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &size, sizeof size) == 0);
  CHECK(poll(&poller, 1, -1) == 1);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &before, sizeof before) == 0);
}

static void set_options(int fd) {
  int yes = 1, idle = 777;
  CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes) == 0);
  CHECK(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) == 0);
  CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, 0) == 0);
}

static in_port_t port_of(int fd) {
  union address address;
  socklen_t size = sizeof address;
  CHECK(getsockname(fd, &address.any, &size) == 0);
  return ntohs(address.four.sin_port); /* at the same place in both */
}

static unsigned unacknowledged(int fd) {
  int bytes;
  CHECK(ioctl(fd, TIOCOUTQ, &bytes) == 0);
  return (unsigned)bytes;
}

/* What arrives and is not read takes up no more. */
static void narrow(int fd, int bytes) {
  CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0);
}

static void check_options(int fd) {
  CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1 && option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 777 && option(fd, SOL_SOCKET, SO_REUSEADDR) == 1);
  CHECK(option(fd, SOL_SOCKET, SO_RCVLOWAT) == 1 && option(fd, SOL_SOCKET, SO_MARK) == 0);
  CHECK(option(fd, SOL_SOCKET, 72 /* SO_BUF_LOCK */) == 0);
}

int main(int argc, char **argv) {
  unsigned long written = 0, taken = 0, number;
  int fd = open_connection(argc, argv), other = dup(fd);
  char line[64], word[64];
  set_options(fd);
  ready();
  for (;;) {
    number = 0;
    read_line(line, sizeof line);
    CHECK(sscanf(line, "%63s %lu", word, &number) >= 1);
    if (strcmp(word, "write") == 0)
      CHECK(put(fd, &written, number, 0) == number);
    else if (strcmp(word, "fill") == 0)
      number = put(fd, &written, number, MSG_DONTWAIT);
    else if (strcmp(word, "pour") == 0)
      number = pour(fd, &written, number);
    else if (strcmp(word, "drain") == 0) {
      take(fd, &taken, ALL);
      number = taken;
    } else if (strcmp(word, "read") == 0)
      take(fd, &taken, number);
    else if (strcmp(word, "duplicate") == 0)
      take(other, &taken, number);
    else if (strcmp(word, "fork") == 0)
      start_child(fd);
    else if (strcmp(word, "child") == 0)
      let_child_take(&taken, number);
    else if (strcmp(word, "await") == 0)
      await(fd, (int)number);
    else if (strcmp(word, "end") == 0)
      CHECK(shutdown(fd, SHUT_WR) == 0);
    else if (strcmp(word, "narrow") == 0)
      narrow(fd, (int)number);
    else if (strcmp(word, "close") == 0)
      CHECK(close(fd) == 0 && close(other) == 0);
    else if (strcmp(word, "eof") == 0)
      CHECK(recv(fd, block, 1, 0) == 0);
    else if (strcmp(word, "reset") == 0)
      CHECK(recv(fd, block, 1, 0) < 0 && errno == ECONNRESET);
    else if (strcmp(word, "options") == 0)
      check_options(fd);
    else if (strcmp(word, "port") == 0)
      number = port_of(fd);
    else if (strcmp(word, "unacknowledged") == 0)
      number = unacknowledged(fd);
    else if (strcmp(word, "go") == 0)
      break;
    else
      FAIL("not understood: %s", line);
    dprintf(1, "%s %lu\n", word, number);
  }
  success();
}
