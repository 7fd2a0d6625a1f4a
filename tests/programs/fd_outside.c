/* fd_outside PATH: connected to a unix socket of another process, from which something waits. */
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

int main(int argc, char **argv) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  char got[8] = "";
  CHECK(argc == 2 && strlen(argv[1]) < sizeof to.sun_path);
  strcpy(to.sun_path, argv[1]);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  CHECK(recv(fd, got, 5, MSG_PEEK | MSG_WAITALL) == 5);
  ready();
  wait_for_go();
  CHECK(recv(fd, got, sizeof got, 0) == 5 && memcmp(got, "hello", 5) == 0);
  /* As it was, when the program has only carried on. */
  if (send(fd, "bye", 3, MSG_NOSIGNAL) == 3)
    CHECK(recv(fd, got, 1, 0) == 0);
  else
    CHECK(errno == EPIPE && recv(fd, got, 1, 0) == -1 && errno == ECONNRESET && recv(fd, got, 1, 0) == 0);
  success();
}
