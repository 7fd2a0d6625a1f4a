/* A program in a terminal, which it finds hung up, with no terminal of its own and an input that is at its
 * end. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "check.h"

int main(void) {
  char byte;
  int own = open("/dev/tty", O_RDWR);
  CHECK(own >= 0 && isatty(0) && isatty(own));
  signal(SIGHUP, SIG_IGN);
  ready();
  while (read(0, &byte, 1) > 0)
    ;
  CHECK(!isatty(own) && read(own, &byte, 1) == 0 && write(own, "x", 1) < 0 && errno == EIO);
  CHECK(open("/dev/tty", O_RDWR) < 0 && getsid(0) == getpid());
  success();
}
