/* Pseudoterminals of which the process has both sides: modes, size, states, and what waits in both
 * directions. */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "check.h"

struct pty {
  int master, slave;
};

static struct pty made(int flags) {
  struct pty pty = {.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | flags)};
  char name[64];
  CHECK(pty.master >= 0 && unlockpt(pty.master) == 0 && ptsname_r(pty.master, name, sizeof name) == 0);
  pty.slave = open(name, O_RDWR | O_NOCTTY);
  CHECK(pty.slave >= 0);
  return pty;
}

static void is(int fd, const char *words) {
  static char got[1 << 16];
  size_t size = 0;
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  while (size < strlen(words) && poll(&poller, 1, 60000) == 1) {
    ssize_t n = read(fd, got + size, sizeof got - size);
    CHECK(n >= 0);
    size += (size_t)n;
  }
  if (size != strlen(words) || memcmp(got, words, size) != 0)
    FAIL("%zu bytes, \"%.*s\", not \"%s\"", size, (int)size, got, words);
}

static void put(int fd, const char *words) {
  CHECK(write(fd, words, strlen(words)) == (ssize_t)strlen(words));
}

static void nothing(int fd) {
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  CHECK(poll(&poller, 1, 0) == 0);
}

static void stop_when(int fd, bool stops) {
  struct pollfd poller = {.fd = fd, .events = POLLOUT};
  while ((poll(&poller, 1, 1) == 1) == stops)
    ;
}

static void same_name(const struct pty *pty) {
  char one[64], other[64];
  struct stat a, b;
  CHECK(ptsname_r(pty->master, one, sizeof one) == 0 && ttyname_r(pty->slave, other, sizeof other) == 0);
  CHECK(strcmp(one, other) == 0 && stat(one, &a) == 0 && fstat(pty->slave, &b) == 0 && a.st_ino == b.st_ino);
}

static void raise_modes(int fd) {
  struct termios modes;
  CHECK(tcgetattr(fd, &modes) == 0);
  cfmakeraw(&modes);
  modes.c_cc[VMIN] = 3;
  CHECK(tcsetattr(fd, TCSANOW, &modes) == 0);
}

int main(void) {
  struct winsize size = {.ws_row = 33, .ws_col = 101, .ws_xpixel = 7, .ws_ypixel = 9};
  struct termios modes;
  int value, on = 1;

  struct pty lines = made(0), raw = made(O_NONBLOCK), packet = made(0), stopped = made(0), gone = made(0),
             left = made(0);
  int another = open(ttyname(lines.slave), O_RDONLY | O_NOCTTY | O_NONBLOCK), twin = dup(lines.master);
  CHECK(another >= 0 && twin >= 0 && ioctl(lines.slave, TIOCSWINSZ, &size) == 0);
  CHECK(fchmod(lines.slave, 0600) == 0);
  put(lines.slave, "shown\n");
  put(lines.master, "first line\rsecond\n\004half");

  raise_modes(raw.slave);
  put(raw.master, "\001\002\003\004\n\r\021\023ab");
  put(raw.slave, "a\nb");
  CHECK(ioctl(raw.slave, TIOCEXCL) == 0);

  CHECK(ioctl(packet.master, TIOCPKT, &on) == 0);
  put(packet.slave, "data");

  put(stopped.slave, "before");
  put(stopped.master, "\023");
  stop_when(stopped.slave, true);

  put(gone.slave, "last words");
  CHECK(close(gone.master) == 0);

  put(left.slave, "last words");
  CHECK(close(left.slave) == 0);

  int unused = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK(unused >= 0);

  ready();
  wait_for_go();

  same_name(&lines);
  is(twin, "shown\r\nfirst line\r\nsecond\r\nhalf");
  is(lines.slave, "first line\n");
  is(another, "second\n");
  CHECK(read(another, &value, 1) == 0);
  CHECK(read(another, &value, 1) < 0 && errno == EAGAIN);
  put(lines.master, "\177f.\r");
  is(lines.slave, "half.\n");
  memset(&size, 0, sizeof size);
  CHECK(ioctl(another, TIOCGWINSZ, &size) == 0 && size.ws_row == 33 && size.ws_col == 101 &&
        size.ws_xpixel == 7 && size.ws_ypixel == 9);
  struct stat st;
  CHECK(fstat(lines.slave, &st) == 0 && (st.st_mode & 07777) == 0600);

  CHECK(fcntl(raw.master, F_GETFL) & O_NONBLOCK && fcntl(raw.master, F_GETFD) == FD_CLOEXEC);
  CHECK(tcgetattr(raw.slave, &modes) == 0 && modes.c_cc[VMIN] == 3 && !(modes.c_lflag & ICANON));
  is(raw.slave, "\001\002\003\004\n\r\021\023ab");
  is(raw.master, "a\nb");
  CHECK(ioctl(raw.slave, TIOCGEXCL, &value) == 0 && value == 1);

  char got[64];
  CHECK(ioctl(packet.master, TIOCGPKT, &value) == 0 && value == 1);
  CHECK(read(packet.master, got, sizeof got) == 5 && got[0] == TIOCPKT_DATA &&
        memcmp(got + 1, "data", 4) == 0);

  is(stopped.master, "before");
  stop_when(stopped.slave, true);
  nothing(stopped.master);
  put(stopped.master, "\021");
  stop_when(stopped.slave, false);
  put(stopped.slave, "after");
  is(stopped.master, "after");

  CHECK(read(gone.slave, got, sizeof got) == 0);
  CHECK(write(gone.slave, "x", 1) < 0 && errno == EIO && !isatty(gone.slave));

  is(left.master, "last words");
  CHECK(read(left.master, got, 1) < 0 && errno == EIO);

  CHECK(ioctl(unused, TIOCGPTLCK, &value) == 0 && value == 1);
  nothing(unused);
  success();
}
