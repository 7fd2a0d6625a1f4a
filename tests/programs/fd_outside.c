/* fd_outside PLACE: connected to another process, from which something waits: over a unix socket when PLACE
 * is a path, over TCP when it is a port. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

static int connect_unix(const char *path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(strlen(path) < sizeof to.sun_path);
  strcpy(to.sun_path, path);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  return fd;
}

static int connect_tcp(const char *port) {
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                           .sin_port = htons((uint16_t)atoi(port))};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  return fd;
}

int main(int argc, char **argv) {
  char got[8] = "";
  CHECK(argc == 2);
  bool tcp = argv[1][0] != '/';
  int fd = tcp ? connect_tcp(argv[1]) : connect_unix(argv[1]);
  CHECK(recv(fd, got, 5, MSG_PEEK | MSG_WAITALL) == 5);
  ready();
  wait_for_go();
  CHECK(recv(fd, got, sizeof got, 0) == 5 && memcmp(got, "hello", 5) == 0);
  if (send(fd, "bye", 3, MSG_NOSIGNAL) == 3) { /* as it was: the program has only carried on */
    CHECK(recv(fd, got, 1, 0) == 0);
  } else if (tcp) {
    CHECK(errno == ECONNRESET && send(fd, "bye", 3, MSG_NOSIGNAL) == -1 && errno == EPIPE);
    CHECK(recv(fd, got, 1, 0) == 0);
  } else {
    CHECK(errno == EPIPE && recv(fd, got, 1, 0) == -1 && errno == ECONNRESET && recv(fd, got, 1, 0) == 0);
  }
  success();
}
