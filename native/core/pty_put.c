/* Putting back what waited in a pseudoterminal. */
#include <asm/ioctls.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "core/sys.h"
#include "pty_parts.h"

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
  long result = tells_early(pty) ? pty_set_packet(pty, 1) : 0;
  if (result == 0 && pty->status & TIOCPKT_FLUSHREAD)
    result = sys(SYS_(ioctl), pty->slave, TCFLSH, TCIFLUSH);
  if (result == 0 && pty->status & TIOCPKT_FLUSHWRITE)
    result = sys(SYS_(ioctl), pty->slave, TCFLSH, TCOFLUSH);
  return result;
}

/* When packet mode has more to tell, that tells nothing; then the slave does, unless the master's side is
 * full. */
static bool is_stopped(const struct pty *pty) {
  return tells_early(pty) ? !pty_polls(pty->slave, POLLOUT) : pty_polls(pty->master, POLLPRI);
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
  return result < 0 ? result : pty_set_packet(pty, 0);
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
  struct termios2 modes = pty_quiet_modes(pty, true);
  modes.c_iflag = IXON;
  modes.c_cc[VEOF] = END;
  modes.c_cc[VSTOP] = LAST;
  modes.c_cc[VLNEXT] = LITERAL;
  long result = pty_set_modes(pty, &modes);
  if (result == 0)
    result = put_records(pty, records, size, OUTPUT);
  if (result < 0 || !(pty->flags & CKPT_PTY_STOPPED || has_seen(records, size)))
    return result;
  if (!tells_early(pty))
    result = pty_set_packet(pty, 1);
  if (result == 0)
    result = put_records(pty, records, size, SEEN);
  if (result == 0)
    result = put_last(pty);
  modes.c_iflag = 0;
  if (result == 0 && !(pty->flags & CKPT_PTY_STOPPED))
    result = pty_set_modes(pty, &modes);
  return result;
}

/* What the master would be told about the modes: it is told so when they become those. */
static long put_status(const struct pty *pty) {
  struct termios2 others = pty->modes;
  long result = tells_early(pty) ? 0 : pty_set_packet(pty, 1);
  if (result == 0 && pty->status & TIOCPKT_START) {
    result = sys(SYS_(ioctl), pty->slave, TCXONC, TCOOFF);
    if (result == 0)
      result = sys(SYS_(ioctl), pty->slave, TCXONC, TCOON);
  }
  others.c_iflag |= IXON;
  others.c_cc[VSTART] = 'Q' - '@';
  others.c_cc[VSTOP] = pty->status & TIOCPKT_DOSTOP ? 0 : 'S' - '@';
  if (result == 0 && pty->status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) {
    result = pty_set_modes(pty, &others);
    if (result == 0)
      result = pty_set_modes(pty, &pty->modes);
  }
  return result;
}

long pty_put(const struct pty *pty, const uint8_t *records, size_t size) {
  long result = put_flushes(pty);
  if (result == 0)
    result = put_waiting(pty, records, size);
  if (result == 0 && pty->flags & CKPT_PTY_SUSPENDED)
    result = sys(SYS_(ioctl), pty->slave, TCXONC, TCOOFF);
  long set = pty_set_modes(pty, &pty->modes);
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
