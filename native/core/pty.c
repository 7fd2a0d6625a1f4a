/* What waits in a pseudoterminal.
 *
 * What the slave has written is read from the master, and written again through the slave without output
 * processing. What the master has written has gone through the line discipline: it is read at the slave, line
 * by line in canonical mode, since nothing else tells where they end; it is put back through the master in
 * modes in which nothing has a meaning but what ends lines, with each byte that does and should not behind
 * the character for that (VLNEXT). What the line discipline had no room for yet waits in front of it and is
 * put back last, when the modes are the program's again.
 *
 * The line discipline works behind the back of whoever writes. That it has seen everything is known when it
 * has stopped output because of a last character: packet mode tells the master. */
#include "pty.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "core/sys.h"

enum {
  BUFFER = 4095, /* what a line discipline holds */
  END = 1,       /* VEOF, VSTOP and VLNEXT while input is put back */
  LAST = 2,
  LITERAL = 3,
  WAIT_MS = 5000,
};

static bool polls(int fd, short events) {
  struct pollfd poller = {.fd = fd, .events = events};
  return sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & events;
}

static long set_modes(const struct pty *pty, const struct termios2 *modes) {
  return sys(SYS_(ioctl), pty->slave, TCSETS2, modes);
}

static long set_packet(const struct pty *pty, int on) {
  return sys(SYS_(ioctl), pty->master, TIOCPKT, &on);
}

/* Those in which nothing happens to what is written, either way. */
static struct termios2 quiet_modes(const struct pty *pty, bool canonical) {
  struct termios2 modes = pty->modes;
  modes.c_iflag = modes.c_oflag = 0;
  modes.c_lflag = canonical ? ICANON | IEXTEN : 0;
  memset(modes.c_cc, 0, sizeof modes.c_cc);
  if (!canonical)
    modes.c_cc[VMIN] = 1;
  return modes;
}

static bool is_canonical(const struct pty *pty) {
  return (pty->modes.c_lflag & (ICANON | EXTPROC)) == ICANON;
}

/* ---- Taking ------------------------------------------------------------------------------------------- */

struct taken {
  uint8_t *records;
  size_t size;
  size_t seen; /* how much room it took in the line discipline */
};

/* At the end of the records: as much as one read gives. */
static long read_record(struct taken *taken, int fd, uint32_t kind) {
  struct ckpt_waiting head = {.kind = kind};
  size_t at = taken->size + sizeof head;
  if (at + BUFFER > PTY_WAITING_MOST)
    return -EFBIG;
  long n = sys(SYS_(read), fd, taken->records + at, PTY_WAITING_MOST - at);
  if (n < 0)
    return n;
  head.size = (uint32_t)n;
  memcpy(taken->records + taken->size, &head, sizeof head);
  taken->size = at + (size_t)n;
  return n;
}

static long take_output(const struct pty *pty, struct taken *taken) {
  long n = 0;
  while (n >= 0 && polls(pty->master, POLLIN))
    n = read_record(taken, pty->master, CKPT_WAITING_OUTPUT);
  return n < 0 ? n : 0;
}

/* The line that has just been taken: what has ended it? */
static void look_at_line(struct taken *taken, size_t at) {
  struct ckpt_waiting head;
  memcpy(&head, taken->records + at, sizeof head);
  bool ended = head.size && taken->records[taken->size - 1] == '\n';
  head.kind = ended ? CKPT_WAITING_LINE : CKPT_WAITING_EOF;
  memcpy(taken->records + at, &head, sizeof head);
  taken->seen += head.size + !ended;
}

static long take_lines(const struct pty *pty, struct taken *taken) {
  long n = 0;
  while (n >= 0 && polls(pty->slave, POLLIN)) {
    size_t at = taken->size;
    n = read_record(taken, pty->slave, CKPT_WAITING_LINE);
    if (n >= 0)
      look_at_line(taken, at);
  }
  return n < 0 ? n : 0;
}

static int waiting(const struct pty *pty) {
  int count = 0;
  return sys(SYS_(ioctl), pty->slave, FIONREAD, &count) < 0 ? 0 : count;
}

/* What has been written is to be seen in the program's modes, as far as there is room. To look whether there
 * is anything makes sure of that when there is not: when lines are waiting, but so few that nothing has had
 * to wait in front of them, they are taken first. Otherwise what comes within a ms is waited for. */
static long settle(const struct pty *pty, struct taken *taken) {
  enum { FEW = 1024, MOST_MS = 100 };
  struct termios2 modes = pty->modes;
  long result = 0;
  if (is_canonical(pty) && waiting(pty) < FEW)
    return take_lines(pty, taken);
  modes.c_cc[VMIN] = 255;
  modes.c_cc[VTIME] = 0;
  if (!is_canonical(pty))
    result = set_modes(pty, &modes);
  for (int ms = 0, before = -1; ms < MOST_MS && polls(pty->slave, POLLIN) && waiting(pty) != before; ms++) {
    before = waiting(pty);
    sys(SYS_(poll), NULL, 0, 1);
  }
  return result;
}

static long take_input(const struct pty *pty, struct taken *taken) {
  /* What comes in after the lines that have been seen is no line that is ever seen; but none must become
   * longer than the buffer. */
  struct termios2 modes = quiet_modes(pty, true);
  modes.c_cc[VEOL] = '\r';
  long n = 0;
  if (is_canonical(pty) && (n = set_modes(pty, &modes)) == 0)
    n = take_lines(pty, taken);
  modes = quiet_modes(pty, false);
  if (n == 0)
    n = set_modes(pty, &modes);
  while (n >= 0 && polls(pty->slave, POLLIN)) {
    n = read_record(taken, pty->slave, CKPT_WAITING_PART);
    if (n > 0)
      taken->seen += (size_t)n;
  }
  return n < 0 ? n : 0;
}

/* What the line discipline cannot have seen: bytes of the records from `at` on, beyond its size. In canonical
 * mode it needs room to see the last character. */
static void find_rest(const struct pty *pty, struct taken *taken, size_t at) {
  const size_t most = is_canonical(pty) ? BUFFER - 1 : BUFFER;
  struct ckpt_waiting head;
  size_t seen = 0;
  for (; at < taken->size && taken->seen >= BUFFER; at += sizeof head + head.size) {
    memcpy(&head, taken->records + at, sizeof head);
    if (head.kind == CKPT_WAITING_OUTPUT)
      continue;
    size_t before = seen;
    seen += head.size + (head.kind == CKPT_WAITING_EOF);
    if (seen <= most)
      continue;
    if (before < most && head.size > most - before) {
      /* Part of it. */
      struct ckpt_waiting rest = {CKPT_WAITING_REST, head.size - (uint32_t)(most - before)};
      head.size -= rest.size;
      head.kind = CKPT_WAITING_PART;
      memcpy(taken->records + at, &head, sizeof head);
      at += sizeof head + head.size;
      memmove(taken->records + at + sizeof rest, taken->records + at, taken->size - at);
      memcpy(taken->records + at, &rest, sizeof rest);
      taken->size += sizeof rest;
      head = rest;
    } else {
      head.kind = CKPT_WAITING_REST;
      memcpy(taken->records + at, &head, sizeof head);
    }
  }
}

/* What belongs together as one record. */
static void join_records(struct taken *taken) {
  struct ckpt_waiting last = {0}, head;
  size_t to = 0, start = 0; /* of the last record */
  for (size_t at = 0, next; at < taken->size; at = next) {
    memcpy(&head, taken->records + at, sizeof head);
    next = at + sizeof head + head.size;
    bool joins =
        to && head.kind == last.kind && head.kind != CKPT_WAITING_LINE && head.kind != CKPT_WAITING_EOF;
    if (!joins) {
      start = to;
      last = (struct ckpt_waiting){.kind = head.kind};
      to += sizeof head;
    }
    memmove(taken->records + to, taken->records + at + sizeof head, head.size);
    to += head.size;
    last.size += head.size;
    memcpy(taken->records + start, &last, sizeof last);
  }
  taken->size = to;
}

/* Echoes that had to wait come when somebody writes, were it nothing. */
static long take_echoes(const struct pty *pty, struct taken *taken) {
  long result = sys(SYS_(write), pty->slave, "", 0);
  return result < 0 && result != -EAGAIN ? result : take_output(pty, taken);
}

static long take_packet_mode(struct pty *pty) {
  int on = 0;
  long result = sys(SYS_(ioctl), pty->master, TIOCGPKT, &on);
  if (result < 0 || !on)
    return result;
  pty->flags |= CKPT_PTY_PACKET;
  while (polls(pty->master, POLLPRI)) {
    uint8_t status;
    result = sys(SYS_(read), pty->master, &status, 1);
    if (result < 0)
      return result;
    pty->status |= status;
  }
  return set_packet(pty, 0);
}

/* Without IXON output goes on that the stop character has stopped, with the echoes that had to wait. */
static long take_stop(struct pty *pty) {
  struct termios2 modes = quiet_modes(pty, is_canonical(pty));
  bool stopped = !polls(pty->slave, POLLOUT);
  long result = set_modes(pty, &modes);
  if (result < 0 || !stopped)
    return result;
  if (polls(pty->slave, POLLOUT)) {
    pty->flags |= CKPT_PTY_STOPPED;
    return 0;
  }
  pty->flags |= CKPT_PTY_SUSPENDED;
  return sys(SYS_(ioctl), pty->slave, TCXONC, TCOON);
}

/* Also when it fails, the records hold what has been taken. */
static long take(struct pty *pty, struct taken *taken) {
  const struct ckpt_waiting first = {.kind = CKPT_WAITING_OUTPUT};
  memcpy(taken->records, &first, sizeof first);
  taken->size = sizeof first;
  long result = take_packet_mode(pty);
  size_t input = taken->size;
  if (result == 0)
    result = settle(pty, taken);
  if (result == 0)
    result = take_output(pty, taken);
  if (result == 0)
    result = take_stop(pty);
  if (result == 0)
    result = take_echoes(pty, taken);
  if (result == 0)
    result = take_input(pty, taken);
  if (result == 0)
    find_rest(pty, taken, input);
  if (result == 0)
    join_records(taken);
  return result;
}

/* ---- Putting back ------------------------------------------------------------------------------------- */

/* In pieces that the kernel's buffers hold as many of as they can, whatever they held before: those of 512
 * bytes count as 256, and may be 8192 in all, before a last one of 3584 that counts as 1792. One who may
 * write waits for nobody then, also where the program's descriptor would let it. What makes room is the line
 * discipline of the other side, which wakes nobody. */
static long put_bytes(int fd, const uint8_t *bytes, size_t size) {
  enum { SMALL = 256, LARGE = 3584 };
  for (int ms = 0; size;) {
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    size_t piece = size <= LARGE ? size : size - LARGE < SMALL ? size - LARGE : SMALL;
    long n = sys(SYS_(poll), &poller, 1, 1);
    if (n == 0 && ++ms > WAIT_MS)
      return -ETIMEDOUT;
    if (n > 0)
      n = sys(SYS_(write), fd, bytes, piece);
    if (n < 0 && n != -EAGAIN && n != -EINTR)
      return n;
    bytes += n < 0 ? 0 : n;
    size -= n < 0 ? 0 : (size_t)n;
  }
  return 0;
}

static long put_input(const struct pty *pty, const uint8_t *bytes, size_t size) {
  return put_bytes(pty->master, bytes, size);
}

static bool has_meaning(uint8_t byte) {
  return byte == END || byte == LAST || byte == LITERAL || byte == '\n';
}

static long put_seen(const struct pty *pty, const struct ckpt_waiting *head, const uint8_t *bytes) {
  uint8_t piece[256];
  size_t used = 0;
  long result = 0;
  for (uint32_t i = 0; i < head->size && result == 0; i++) {
    bool ends = head->kind == CKPT_WAITING_LINE && i + 1 == head->size;
    if (!ends && has_meaning(bytes[i]))
      piece[used++] = LITERAL;
    piece[used++] = bytes[i];
    if (used + 2 <= sizeof piece)
      continue;
    result = put_input(pty, piece, used);
    used = 0;
  }
  if (head->kind == CKPT_WAITING_EOF)
    piece[used++] = END;
  return result == 0 ? put_input(pty, piece, used) : result;
}

static bool is_seen(uint32_t kind) {
  return kind == CKPT_WAITING_LINE || kind == CKPT_WAITING_EOF || kind == CKPT_WAITING_PART;
}

enum direction { OUTPUT, SEEN, REST };

static long put_records(const struct pty *pty, const uint8_t *records, size_t size, enum direction which) {
  struct ckpt_waiting head;
  long result = 0;
  for (size_t at = 0; at < size && result == 0; at += sizeof head + head.size) {
    memcpy(&head, records + at, sizeof head);
    const uint8_t *bytes = records + at + sizeof head;
    if (which == OUTPUT && head.kind == CKPT_WAITING_OUTPUT)
      result = put_bytes(pty->slave, bytes, head.size);
    else if (which == SEEN && is_seen(head.kind))
      result = put_seen(pty, &head, bytes);
    else if (which == REST && head.kind == CKPT_WAITING_REST)
      result = put_input(pty, bytes, head.size);
  }
  return result;
}

/* Is there something that only what happens to it now can make packet mode tell? */
static bool tells_early(const struct pty *pty) {
  return pty->status & (TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE | TIOCPKT_STOP);
}

static long put_flushes(const struct pty *pty) {
  long result = tells_early(pty) ? set_packet(pty, 1) : 0;
  if (result == 0 && pty->status & TIOCPKT_FLUSHREAD)
    result = sys(SYS_(ioctl), pty->slave, TCFLSH, TCIFLUSH);
  if (result == 0 && pty->status & TIOCPKT_FLUSHWRITE)
    result = sys(SYS_(ioctl), pty->slave, TCFLSH, TCOFLUSH);
  return result;
}

/* When packet mode has more to tell, that tells nothing; then the slave does, unless the master's side is
 * full. */
static bool is_stopped(const struct pty *pty) {
  return tells_early(pty) ? !polls(pty->slave, POLLOUT) : polls(pty->master, POLLPRI);
}

/* Output stands still afterwards, and everything before has been seen. The kernel wakes only who waits for
 * POLLIN, which is there when there is output: so it is looked at again each ms. */
static long put_last(const struct pty *pty) {
  const uint8_t last = LAST;
  uint8_t status;
  long result = put_input(pty, &last, 1);
  for (int ms = 0; result == 0 && !is_stopped(pty); ms++) {
    sys(SYS_(poll), NULL, 0, 1);
    result = ms < WAIT_MS ? 0 : -ETIMEDOUT;
  }
  if (result < 0 || tells_early(pty))
    return result;
  result = sys(SYS_(read), pty->master, &status, 1);
  return result < 0 ? result : set_packet(pty, 0);
}

static bool has_seen(const uint8_t *records, size_t size) {
  struct ckpt_waiting head;
  for (size_t at = 0; at < size; at += sizeof head + head.size) {
    memcpy(&head, records + at, sizeof head);
    if (is_seen(head.kind))
      return true;
  }
  return false;
}

static long put_waiting(const struct pty *pty, const uint8_t *records, size_t size) {
  struct termios2 modes = quiet_modes(pty, true);
  modes.c_iflag = IXON;
  modes.c_cc[VEOF] = END;
  modes.c_cc[VSTOP] = LAST;
  modes.c_cc[VLNEXT] = LITERAL;
  long result = set_modes(pty, &modes);
  if (result == 0)
    result = put_records(pty, records, size, OUTPUT);
  if (result < 0 || !(pty->flags & CKPT_PTY_STOPPED || has_seen(records, size)))
    return result;
  if (!tells_early(pty))
    result = set_packet(pty, 1);
  if (result == 0)
    result = put_records(pty, records, size, SEEN);
  if (result == 0)
    result = put_last(pty);
  modes.c_iflag = 0;
  if (result == 0 && !(pty->flags & CKPT_PTY_STOPPED))
    result = set_modes(pty, &modes);
  return result;
}

/* What the master would be told about the modes: it is told so when they become those. */
static long put_status(const struct pty *pty) {
  struct termios2 others = pty->modes;
  long result = tells_early(pty) ? 0 : set_packet(pty, 1);
  if (result == 0 && pty->status & TIOCPKT_START) {
    result = sys(SYS_(ioctl), pty->slave, TCXONC, TCOOFF);
    if (result == 0)
      result = sys(SYS_(ioctl), pty->slave, TCXONC, TCOON);
  }
  others.c_iflag |= IXON;
  others.c_cc[VSTART] = 'Q' - '@';
  others.c_cc[VSTOP] = pty->status & TIOCPKT_DOSTOP ? 0 : 'S' - '@';
  if (result == 0 && pty->status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) {
    result = set_modes(pty, &others);
    if (result == 0)
      result = set_modes(pty, &pty->modes);
  }
  return result;
}

long pty_put(const struct pty *pty, const uint8_t *records, size_t size) {
  long result = put_flushes(pty);
  if (result == 0)
    result = put_waiting(pty, records, size);
  if (result == 0 && pty->flags & CKPT_PTY_SUSPENDED)
    result = sys(SYS_(ioctl), pty->slave, TCXONC, TCOOFF);
  long set = set_modes(pty, &pty->modes);
  if (result == 0)
    result = set;
  if (result == 0)
    result = put_records(pty, records, size, REST);
  if (pty->flags & CKPT_PTY_PACKET) {
    set = put_status(pty);
    if (result == 0)
      result = set;
  }
  return result;
}

long pty_copy(struct pty *pty, uint8_t *records) {
  struct taken taken = {.records = records};
  long result = sys(SYS_(ioctl), pty->slave, TCGETS2, &pty->modes);
  if (result < 0)
    return result;
  result = take(pty, &taken);
  long put = pty_put(pty, records, taken.size);
  return result < 0 ? result : put < 0 ? put : (long)taken.size;
}
