/* Waits in sockets. See undisturbed.h. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "undisturbed.h"

static int listener, crowded, late, empty[2], full[2], slow[2];
static char page[4096];

static int listen_at(const char *name, struct sockaddr_un *address, int backlog) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  strcpy(address->sun_path, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0 && bind(fd, (struct sockaddr *)address, sizeof *address) == 0 && listen(fd, backlog) == 0);
  return fd;
}

static struct sockaddr_un address, crowded_address;

static void prepare_accept(void) {
  listener = listen_at("listener", &address, 5);
}

static void block_accept(void) {
  CHECK(accept(listener, NULL, NULL) >= 0);
}

static void wake_accept(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
}

/* A backlog of none has room for one. */
static void prepare_connect(void) {
  crowded = listen_at("crowded", &crowded_address, 0);
  int first = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(first >= 0 && connect(first, (struct sockaddr *)&crowded_address, sizeof crowded_address) == 0);
  CHECK((late = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
}

static void block_connect(void) {
  CHECK(connect(late, (struct sockaddr *)&crowded_address, sizeof crowded_address) == 0);
}

static void wake_connect(void) {
  CHECK(accept(crowded, NULL, NULL) >= 0);
}

static void prepare_recv(void) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, empty) == 0);
}

static void block_recv(void) {
  char byte;
  CHECK(recv(empty[0], &byte, 1, 0) == 1 && byte == 'x');
}

static void wake_recv(void) {
  CHECK(send(empty[1], "x", 1, 0) == 1);
}

static void prepare_send(void) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, full) == 0);
  while (send(full[1], page, sizeof page, MSG_DONTWAIT) > 0)
    continue;
  CHECK(errno == EAGAIN);
}

/* Only here: a socket that is made again counts its bytes anew, and may have room. */
static void block_send(void) {
  CHECK(send(full[1], page, sizeof page, 0) == sizeof page);
}

static void wake_send(void) {
  while (recv(full[0], page, sizeof page, MSG_DONTWAIT) > 0)
    continue;
  CHECK(errno == EAGAIN);
}

/* With SO_RCVTIMEO, a signal ends it whatever its handler wants. */
static void prepare_recv_timed(void) {
  const struct timeval limit = {.tv_sec = MS / 1000, .tv_usec = MS % 1000 * 1000};
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, slow) == 0);
  CHECK(setsockopt(slow[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
}

static void block_recv_timed(void) {
  char byte;
  CHECK(recv(slow[0], &byte, 1, 0) == -1 && errno == EAGAIN);
  errno = UNTOUCHED;
}

static struct row rows[] = {
    {.name = "accept", .prepare = prepare_accept, .block = block_accept, .wake = wake_accept},
    {.name = "connect", .prepare = prepare_connect, .block = block_connect, .wake = wake_connect},
    {.name = "recv", .prepare = prepare_recv, .block = block_recv, .wake = wake_recv},
    {.name = "send", .outside = true, .prepare = prepare_send, .block = block_send, .wake = wake_send},
    {.name = "recv_timed", .kind = TIMED_AGAIN, .prepare = prepare_recv_timed, .block = block_recv_timed},
};

MAIN
