/* Pairs of unix sockets: streams, packets and datagrams, what waits in them, buffers, options, shut ways and
 * closed ends. */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#include "check.h"

#define BIG 100000

static char block[BIG], got[BIG + 1];

struct pair {
  int fd[2];
};

static struct pair make(int type) {
  struct pair pair;
  CHECK(socketpair(AF_UNIX, type, 0, pair.fd) == 0);
  return pair;
}

static void put(int fd, const char *bytes, size_t size) {
  CHECK(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static void expect(int fd, const char *bytes, size_t size) {
  ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
  CHECK(n == (ssize_t)size && memcmp(got, bytes, size) == 0);
}

static void expect_nothing(int fd) {
  CHECK(recv(fd, got, sizeof got, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

static int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0);
  return value;
}

static void set(int fd, int name, int value) {
  CHECK(setsockopt(fd, SOL_SOCKET, name, &value, sizeof value) == 0);
}

/* The next packet comes with who sent it. */
static void expect_credentials(int fd) {
  char control[CMSG_SPACE(sizeof(struct ucred))], byte;
  struct iovec piece = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct ucred sender;
  CHECK(recvmsg(fd, &message, MSG_DONTWAIT) == 1 && byte == 'c');
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  CHECK(head && head->cmsg_type == SCM_CREDENTIALS);
  memcpy(&sender, CMSG_DATA(head), sizeof sender);
  CHECK(sender.pid == getpid() && sender.uid == getuid() && sender.gid == getgid());
}

int main(void) {
  for (int i = 0; i < BIG; i++)
    block[i] = (char)(i * 31 + i / 256);
  struct pair stream = make(SOCK_STREAM | SOCK_NONBLOCK), packets = make(SOCK_SEQPACKET | SOCK_CLOEXEC);
  struct pair datagrams = make(SOCK_DGRAM), shut = make(SOCK_STREAM), credentials = make(SOCK_STREAM);
  struct pair closed = make(SOCK_STREAM), broken = make(SOCK_STREAM);
  put(stream.fd[0], "to one", 6);
  put(stream.fd[1], block, BIG);
  put(stream.fd[1], "and more", 8);
  put(packets.fd[0], "first", 5);
  put(packets.fd[0], "second one", 10);
  put(packets.fd[1], "back", 4);
  put(datagrams.fd[1], "a", 1);
  put(datagrams.fd[1], block, 5000);
  set(stream.fd[0], SO_SNDBUF, 50000);
  set(packets.fd[1], SO_RCVBUF, 30000);
  set(datagrams.fd[0], SO_PEEK_OFF, 3);
  put(shut.fd[0], "last words", 10);
  CHECK(shutdown(shut.fd[0], SHUT_WR) == 0);
  set(credentials.fd[0], SO_PASSCRED, 1);
  put(credentials.fd[1], "c", 1);
  put(closed.fd[1], "gone", 4);
  CHECK(close(closed.fd[1]) == 0);
  put(broken.fd[0], "unread", 6);
  CHECK(close(broken.fd[1]) == 0);
  ready();
  wait_for_go();

  CHECK(fcntl(stream.fd[0], F_GETFL) & O_NONBLOCK && fcntl(packets.fd[1], F_GETFD) == FD_CLOEXEC);
  CHECK(option(datagrams.fd[0], SO_PEEK_OFF) == 3); /* reading moves it */
  expect(stream.fd[1], "to one", 6);
  expect_nothing(stream.fd[1]);
  CHECK(recv(stream.fd[0], got, BIG, MSG_WAITALL) == BIG && memcmp(got, block, BIG) == 0);
  expect(stream.fd[0], "and more", 8);
  expect(packets.fd[1], "first", 5);
  expect(packets.fd[1], "second one", 10);
  expect_nothing(packets.fd[1]);
  expect(packets.fd[0], "back", 4);
  expect(datagrams.fd[0], "a", 1);
  expect(datagrams.fd[0], block, 5000);
  expect_nothing(datagrams.fd[0]);
  CHECK(option(stream.fd[0], SO_SNDBUF) == 100000 && option(packets.fd[1], SO_RCVBUF) == 60000);
  expect(shut.fd[1], "last words", 10);
  expect(shut.fd[1], "", 0);
  CHECK(send(shut.fd[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  put(shut.fd[1], "other way", 9);
  expect(shut.fd[0], "other way", 9);
  expect_credentials(credentials.fd[0]);
  expect(closed.fd[0], "gone", 4);
  expect(closed.fd[0], "", 0);
  CHECK(recv(broken.fd[0], got, 1, MSG_DONTWAIT) == -1 && errno == ECONNRESET);
  CHECK(send(closed.fd[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  success();
}
