/* What waits in a pseudoterminal, taken and put back. */
#include "core/pty.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "unit.h"

static struct pty made(void) {
  int unlock = 0;
  struct pty pty = {.master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)};
  EXPECT(pty.master >= 0 && ioctl(pty.master, TIOCSPTLCK, &unlock) == 0);
  pty.slave = ioctl(pty.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  EXPECT(pty.slave >= 0 && ioctl(pty.slave, TCGETS2, &pty.modes) == 0);
  return pty;
}

static void end(struct pty *pty) {
  close(pty->slave);
  close(pty->master);
}

static void set(struct pty *pty) {
  EXPECT(ioctl(pty->slave, TCSETS2, &pty->modes) == 0);
}

static void become_raw(struct pty *pty) {
  pty->modes.c_iflag = pty->modes.c_oflag = pty->modes.c_lflag = 0;
  pty->modes.c_cc[VMIN] = 1;
  set(pty);
}

static size_t type(struct pty *pty, const void *bytes, size_t size) {
  size_t done = 0;
  struct pollfd poller = {.fd = pty->master, .events = POLLOUT};
  while (done < size && poll(&poller, 1, 0) == 1) {
    ssize_t n = write(pty->master, (const char *)bytes + done, size - done < 500 ? size - done : 500);
    if (n <= 0)
      break;
    done += (size_t)n;
  }
  return done;
}

static void type_words(struct pty *pty, const char *words) {
  EXPECT(type(pty, words, strlen(words)) == strlen(words));
}

static size_t drain(int fd, char *to, size_t room) {
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  size_t size = 0;
  while (size < room && poll(&poller, 1, 0) == 1 && poller.revents & POLLIN) {
    ssize_t n = read(fd, to + size, room - size);
    if (n <= 0)
      break;
    size += (size_t)n;
  }
  return size;
}

static uint8_t records[PTY_WAITING_MOST];
static char got[1 << 16], wanted[1 << 16];

/* Copies what waits, twice, and puts it into another one, which takes this one's place then. */
static void move(struct pty *pty) {
  struct pty state, other = made();
  long size = 0;
  for (int i = 0; i < 2; i++) {
    state = (struct pty){.master = pty->master, .slave = pty->slave};
    size = pty_copy(&state, records);
    EXPECT(size > 0);
    EXPECT(memcmp(&state.modes, &pty->modes, sizeof state.modes) == 0);
  }
  state.master = other.master;
  state.slave = other.slave;
  EXPECT(pty_put(&state, records, size > 0 ? (size_t)size : 0) == 0);
  end(pty);
  pty->master = other.master;
  pty->slave = other.slave;
}

static void reads(struct pty *pty, const char *words) {
  struct pollfd poller = {.fd = pty->slave, .events = POLLIN};
  EXPECT(poll(&poller, 1, 1000) == 1);
  ssize_t n = read(pty->slave, got, sizeof got - 1);
  got[n < 0 ? 0 : n] = 0;
  EXPECT_TEXT(n < 0 ? strerror(errno) : got, words);
}

static void shows(struct pty *pty, const char *words) {
  struct pollfd poller = {.fd = pty->master, .events = POLLIN};
  size_t size = 0;
  while (size < strlen(words) && poll(&poller, 1, 1000) == 1)
    size += drain(pty->master, got + size, sizeof got - 1 - size);
  got[size + drain(pty->master, got + size, sizeof got - 1 - size)] = 0;
  EXPECT_TEXT(got, words);
}

static void lines(void) {
  struct pty pty = made();
  type_words(&pty, "one\rtwo\026\003\026\n\001\002.\nend\004\004hal\026\004f");
  move(&pty);
  shows(&pty, "one\r\ntwo^\b^C^\b^J^A^B.\r\nendhal^\b^Df");
  reads(&pty, "one\n");
  reads(&pty, "two\003\n\001\002.\n");
  reads(&pty, "end");
  reads(&pty, "");
  EXPECT(read(pty.slave, got, 10) < 0 && errno == EAGAIN);
  type_words(&pty, "\177\025x\n");
  reads(&pty, "x\n");
  end(&pty);
}

static void output(void) {
  struct pty pty = made();
  EXPECT(write(pty.slave, "a\tb\n", 4) == 4);
  move(&pty);
  shows(&pty, "a\tb\r\n");
  EXPECT(write(pty.slave, "c\n", 2) == 2);
  shows(&pty, "c\r\n");
  end(&pty);
}

static void fill(char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    bytes[i] = (char)(i * 7 + i / 251);
}

/* As much as there is room for, both ways. */
static void full_raw(void) {
  struct pty pty = made();
  become_raw(&pty);
  fill(wanted, sizeof wanted);
  size_t in = 0, out = 0;
  for (size_t n; (n = type(&pty, wanted + in, sizeof wanted - in)) > 0 && in < sizeof wanted; in += n)
    ;
  for (ssize_t n; out < sizeof wanted && (n = write(pty.slave, wanted + out, 100)) > 0; out += (size_t)n)
    ;
  EXPECT(in > 8000 && out > 8000);
  move(&pty);
  EXPECT(drain(pty.slave, got, sizeof got) == in && memcmp(got, wanted, in) == 0);
  EXPECT(drain(pty.master, got, sizeof got) == out && memcmp(got, wanted, out) == 0);
  end(&pty);
}

/* What the line discipline has not seen yet is still looked at by it in the program's modes. */
static void full_lines(void) {
  struct pty pty = made();
  size_t in = 0, room = 0;
  pty.modes.c_lflag &= ~(unsigned)ECHO;
  set(&pty);
  while (room < sizeof wanted - 64) {
    char line[64];
    int n = snprintf(line, sizeof line, "line %zu\r", in++);
    if (type(&pty, line, (size_t)n) != (size_t)n)
      break;
    line[n - 1] = '\n';
    memcpy(wanted + room, line, (size_t)n);
    room += (size_t)n;
  }
  EXPECT(room > 8000);
  move(&pty);
  EXPECT(drain(pty.slave, got, sizeof got) == room && memcmp(got, wanted, room) == 0);
  end(&pty);
}

static bool runs(const struct pty *pty) {
  struct pollfd poller = {.fd = pty->slave, .events = POLLOUT};
  return poll(&poller, 1, 0) == 1;
}

static void stopped(void) {
  struct pty pty = made();
  EXPECT(write(pty.slave, "a", 1) == 1);
  type_words(&pty, "typed\r");
  shows(&pty, "atyped\r\n");
  EXPECT(write(pty.slave, "b", 1) == 1);
  type_words(&pty, "\023");
  while (runs(&pty))
    ;
  move(&pty);
  EXPECT(!runs(&pty));
  shows(&pty, "b");
  type_words(&pty, "\021");
  struct pollfd poller = {.fd = pty.slave, .events = POLLOUT};
  EXPECT(poll(&poller, 1, 1000) == 1);
  reads(&pty, "typed\n");
  EXPECT(ioctl(pty.slave, TCXONC, TCOOFF) == 0);
  move(&pty);
  EXPECT(!runs(&pty));
  type_words(&pty, "\021x");
  shows(&pty, "");
  EXPECT(ioctl(pty.slave, TCXONC, TCOON) == 0 && runs(&pty));
  end(&pty);
}

static void packet_is(struct pty *pty, uint8_t first, const char *words) {
  int waiting = 0;
  struct pollfd poller = {.fd = pty->master, .events = POLLIN};
  EXPECT(poll(&poller, 1, 1000) == 1);
  if (!first) /* echoes come a little later than what they are of */
    while (poll(&poller, 1, 0) == 0 ||
           (ioctl(pty->master, FIONREAD, &waiting) == 0 && waiting < (int)strlen(words)))
      ;
  ssize_t n = read(pty->master, got, sizeof got - 1);
  /* It may be told more, as the modes change on the way. */
  EXPECT(n >= 1 && (first ? (uint8_t)got[0] & first : !got[0]));
  got[n < 0 ? 0 : n] = 0;
  EXPECT_TEXT(got + 1, words);
}

static void packets(void) {
  struct pty pty = made();
  int on = 1;
  EXPECT(ioctl(pty.master, TIOCPKT, &on) == 0);
  EXPECT(write(pty.slave, "data", 4) == 4);
  type_words(&pty, "x\r");
  move(&pty);
  reads(&pty, "x\n");
  packet_is(&pty, TIOCPKT_DATA, "datax\r\n");
  EXPECT(write(pty.slave, "more", 4) == 4);
  pty.modes.c_iflag &= ~(unsigned)IXON;
  set(&pty);
  move(&pty);
  packet_is(&pty, TIOCPKT_NOSTOP, "");
  packet_is(&pty, TIOCPKT_DATA, "more");
  EXPECT(ioctl(pty.slave, TCXONC, TCOOFF) == 0);
  move(&pty);
  packet_is(&pty, TIOCPKT_STOP, "");
  EXPECT(ioctl(pty.slave, TCXONC, TCOON) == 0);
  move(&pty);
  packet_is(&pty, TIOCPKT_START, "");
  struct pollfd poller = {.fd = pty.master, .events = POLLIN};
  EXPECT(poll(&poller, 1, 0) == 0);
  EXPECT(ioctl(pty.slave, TCFLSH, TCIFLUSH) == 0);
  type_words(&pty, "y\r");
  move(&pty);
  packet_is(&pty, TIOCPKT_FLUSHREAD, "");
  packet_is(&pty, TIOCPKT_DATA, "y\r\n");
  reads(&pty, "y\n");
  end(&pty);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  unit_run("complete lines, ends of files and a half typed line stay what they are", lines);
  unit_run("output is processed once", output);
  unit_run("as much as there is room for comes back, both ways", full_raw);
  unit_run("what the line discipline had no room for is seen by it later", full_lines);
  unit_run("output that was stopped stays so, in either way", stopped);
  unit_run("the master in packet mode is told what it would have been told", packets);
  return unit_status();
}
