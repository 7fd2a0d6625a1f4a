/* Listens without SO_REUSEADDR, and serves another process before and after. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"

int main(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  char words[32];
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 4) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
  snprintf(words, sizeof words, "port %d.\n", ntohs(at.sin_port));
  say(words);
  int before = accept(listener, NULL, NULL);
  CHECK(before >= 0 && recv(before, words, 5, MSG_WAITALL) == 5);
  ready();
  wait_for_go();
  int after = accept(listener, NULL, NULL);
  CHECK(after >= 0 && recv(after, words, 5, MSG_WAITALL) == 5 && send(after, words, 5, MSG_NOSIGNAL) == 5);
  success();
}
