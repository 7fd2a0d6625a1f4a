/* fd_urgent unix|tcp [in|read|at]: descriptor 9 is a connection with "ab", an urgent "c" and "de" in it.
 * "in": in line with the rest. "read": the urgent byte has been read by itself; "at": and all in front of it.
 */
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"

static void connect_tcp(int ends[2]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(listener, (void *)&address, size) == 0 && listen(listener, 1) == 0);
  CHECK(getsockname(listener, (void *)&address, &size) == 0);
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(ends[0], (void *)&address, size) == 0);
  ends[1] = accept(listener, NULL, NULL);
  CHECK(ends[1] >= 0 && close(listener) == 0);
}

static void send_all(int fd) {
  CHECK(send(fd, "ab", 2, 0) == 2 && send(fd, "c", 1, MSG_OOB) == 1 && send(fd, "de", 2, 0) == 2);
}

static void receive(int fd, const char *wanted) {
  char got[16];
  CHECK(recv(fd, got, sizeof got, 0) == (ssize_t)strlen(wanted) && memcmp(got, wanted, strlen(wanted)) == 0);
}

/* Over the loopback interface another CPU may bring it. In line all of it counts as waiting. */
static void wait_for_all(int fd, int in_line) {
  const int yes = 1;
  int waiting = 0;
  CHECK(setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &yes, sizeof yes) == 0);
  while (waiting < 5)
    CHECK(ioctl(fd, FIONREAD, &waiting) == 0);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &in_line, sizeof in_line) == 0);
}

int main(int argc, char **argv) {
  CHECK(argc >= 2);
  const char *how = argc > 2 ? argv[2] : "";
  int ends[2];
  char byte = 0;
  if (strcmp(argv[1], "tcp") == 0)
    connect_tcp(ends);
  else
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK(dup2(ends[1], 9) == 9 && close(ends[1]) == 0);
  send_all(ends[0]);
  wait_for_all(9, strcmp(how, "in") == 0);
  if (strcmp(how, "read") == 0 || strcmp(how, "at") == 0)
    CHECK(recv(9, &byte, 1, MSG_OOB) == 1 && byte == 'c');
  if (strcmp(how, "at") == 0)
    receive(9, "ab");

  ready();
  wait_for_go();

  if (!*how)
    CHECK(recv(9, &byte, 1, MSG_OOB) == 1 && byte == 'c');
  if (strcmp(how, "at") != 0)
    receive(9, "ab");
  receive(9, strcmp(how, "in") == 0 ? "cde" : "de");
  success();
}
