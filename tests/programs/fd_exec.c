/* Makes sockets and then begins itself anew, as servers do that are told to reload: one that listens, with a
 * connection that waits, one for datagrams, and a pair. They are its own as before. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"

enum { LISTENER = 10, CLIENT, DATAGRAMS, ONE, OTHER };

static void place(int fd, int at) {
  CHECK(fd >= 0 && dup2(fd, at) == at && close(fd) == 0);
}

static struct sockaddr_in name_of(int fd) {
  struct sockaddr_in name;
  socklen_t size = sizeof name;
  CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0 && size == sizeof name);
  return name;
}

static void prepare(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int pair[2], yes = 1;
  place(socket(AF_INET, SOCK_STREAM, 0), LISTENER);
  place(socket(AF_INET, SOCK_STREAM, 0), CLIENT);
  place(socket(AF_INET, SOCK_DGRAM, 0), DATAGRAMS);
  CHECK(setsockopt(LISTENER, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  CHECK(bind(LISTENER, (struct sockaddr *)&at, sizeof at) == 0 && listen(LISTENER, 4) == 0);
  CHECK(bind(DATAGRAMS, (struct sockaddr *)&at, sizeof at) == 0);
  at = name_of(LISTENER);
  CHECK(connect(CLIENT, (struct sockaddr *)&at, sizeof at) == 0);
  at = name_of(DATAGRAMS);
  CHECK(sendto(DATAGRAMS, "datagram", 8, 0, (struct sockaddr *)&at, sizeof at) == 8);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && write(pair[0], "waits", 5) == 5);
  place(pair[0], ONE);
  place(pair[1], OTHER);
}

int main(int argc, char **argv) {
  char text[16];
  if (argc == 1) {
    prepare();
    execl("/proc/self/exe", argv[0], "again", NULL);
    FAIL("exec: %s", strerror(errno));
  }
  ready();
  wait_for_go();
  int accepted = accept(LISTENER, NULL, NULL);
  CHECK(accepted >= 0 && write(CLIENT, "stream", 6) == 6);
  CHECK(recv(accepted, text, 6, MSG_WAITALL) == 6 && memcmp(text, "stream", 6) == 0);
  CHECK(recv(DATAGRAMS, text, sizeof text, MSG_DONTWAIT) == 8 && memcmp(text, "datagram", 8) == 0);
  CHECK(recv(OTHER, text, sizeof text, MSG_DONTWAIT) == 5 && memcmp(text, "waits", 5) == 0);
  struct sockaddr_in at = name_of(LISTENER);
  int late = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(late >= 0 && connect(late, (struct sockaddr *)&at, sizeof at) == 0);
  CHECK(accept(LISTENER, NULL, NULL) >= 0);
  success();
}
