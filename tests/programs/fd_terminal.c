/* Terminals: 0-2 on one, and another opening of /dev/tty. The terminal echoes, so words are not asked for:
 * any line goes on. */
#include <fcntl.h>
#include <termios.h>

#include "check.h"

int main(void) {
  CHECK(isatty(0) && isatty(1) && isatty(2));
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
  CHECK(tty >= 0);
  char line[64];
  ready();
  read_line(line, sizeof line);
  CHECK(isatty(0) && isatty(1) && isatty(2) && isatty(tty));
  CHECK(fcntl(tty, F_GETFD) == FD_CLOEXEC);
  struct termios settings;
  CHECK(tcgetattr(tty, &settings) == 0);
  CHECK(write(tty, "through tty\n", 12) == 12);
  success();
}
