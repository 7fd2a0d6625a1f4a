/* fd_empty unix|packets|udp: an empty packet waits, before one that is not. With "looked at" it has been
 * looked at before. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"

static void make_udp(int ends[2]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  for (int i = 0; i < 2; i++) {
    ends[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(ends[i] >= 0);
  }
  CHECK(bind(ends[1], (struct sockaddr *)&address, size) == 0);
  CHECK(getsockname(ends[1], (struct sockaddr *)&address, &size) == 0);
  CHECK(connect(ends[0], (struct sockaddr *)&address, size) == 0);
}

int main(int argc, char **argv) {
  char byte;
  int ends[2];
  CHECK(argc >= 2);
  if (strcmp(argv[1], "udp") == 0)
    make_udp(ends);
  else
    CHECK(socketpair(AF_UNIX, strcmp(argv[1], "unix") == 0 ? SOCK_DGRAM : SOCK_SEQPACKET, 0, ends) == 0);
  CHECK(send(ends[0], "", 0, 0) == 0 && send(ends[0], "x", 1, 0) == 1);
  if (argc == 3)
    CHECK(recv(ends[1], &byte, 1, MSG_PEEK) == 0);

  ready();
  wait_for_go();

  CHECK(recv(ends[1], &byte, 1, MSG_DONTWAIT) == 0);
  CHECK(recv(ends[1], &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x');
  CHECK(recv(ends[1], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
  success();
}
