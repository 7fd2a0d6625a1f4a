/* Taking what waits in a pseudoterminal. */
#include <asm/ioctls.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "core/sys.h"
#include "pty_parts.h"

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
  while (n >= 0 && pty_polls(pty->master, POLLIN))
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
  while (n >= 0 && pty_polls(pty->slave, POLLIN)) {
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
  if (pty_is_canonical(pty) && waiting(pty) < FEW)
    return take_lines(pty, taken);
  modes.c_cc[VMIN] = 255;
  modes.c_cc[VTIME] = 0;
  if (!pty_is_canonical(pty))
    result = pty_set_modes(pty, &modes);
  for (int ms = 0, before = -1; ms < MOST_MS && pty_polls(pty->slave, POLLIN) && waiting(pty) != before;
       ms++) {
    before = waiting(pty);
    sys(SYS_(poll), NULL, 0, 1);
  }
  return result;
}

static long take_input(const struct pty *pty, struct taken *taken) {
  /* What comes in after the lines that have been seen is no line that is ever seen; but none must become
   * longer than the buffer. */
  struct termios2 modes = pty_quiet_modes(pty, true);
  modes.c_cc[VEOL] = '\r';
  long n = 0;
  if (pty_is_canonical(pty) && (n = pty_set_modes(pty, &modes)) == 0)
    n = take_lines(pty, taken);
  modes = pty_quiet_modes(pty, false);
  if (n == 0)
    n = pty_set_modes(pty, &modes);
  while (n >= 0 && pty_polls(pty->slave, POLLIN)) {
    n = read_record(taken, pty->slave, CKPT_WAITING_PART);
    if (n > 0)
      taken->seen += (size_t)n;
  }
  return n < 0 ? n : 0;
}

/* What the line discipline cannot have seen: bytes of the records from `at` on, beyond its size. In canonical
 * mode it needs room to see the last character. */
static void find_rest(const struct pty *pty, struct taken *taken, size_t at) {
  const size_t most = pty_is_canonical(pty) ? BUFFER - 1 : BUFFER;
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
  while (pty_polls(pty->master, POLLPRI)) {
    uint8_t status;
    result = sys(SYS_(read), pty->master, &status, 1);
    if (result < 0)
      return result;
    pty->status |= status;
  }
  return pty_set_packet(pty, 0);
}

/* Without IXON output goes on that the stop character has stopped, with the echoes that had to wait. */
static long take_stop(struct pty *pty) {
  struct termios2 modes = pty_quiet_modes(pty, pty_is_canonical(pty));
  bool stopped = !pty_polls(pty->slave, POLLOUT);
  long result = pty_set_modes(pty, &modes);
  if (result < 0 || !stopped)
    return result;
  if (pty_polls(pty->slave, POLLOUT)) {
    pty->flags |= CKPT_PTY_STOPPED;
    return 0;
  }
  pty->flags |= CKPT_PTY_SUSPENDED;
  return sys(SYS_(ioctl), pty->slave, TCXONC, TCOON);
}

long pty_take(struct pty *pty, struct taken *taken) {
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
