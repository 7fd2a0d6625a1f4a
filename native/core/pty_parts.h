/* What taking from a pseudoterminal and putting back into it have in common. */
#ifndef CKPT_PTY_PARTS_H
#define CKPT_PTY_PARTS_H

#include "pty.h"

enum {
  BUFFER = 4095, /* what a line discipline holds */
  END = 1,       /* VEOF, VSTOP and VLNEXT while input is put back */
  LAST = 2,
  LITERAL = 3,
  WAIT_MS = 5000,
};

struct taken {
  uint8_t *records;
  size_t size;
  size_t seen; /* how much room it took in the line discipline */
};

bool pty_polls(int fd, short events);
long pty_set_modes(const struct pty *pty, const struct termios2 *modes);
long pty_set_packet(const struct pty *pty, int on);
/* Those in which nothing happens to what is written, either way. */
struct termios2 pty_quiet_modes(const struct pty *pty, bool canonical);
bool pty_is_canonical(const struct pty *pty);
/* Takes all that waits, after what tells how it waits. Also when it fails, the records hold what has been
 * taken. */
long pty_take(struct pty *pty, struct taken *taken);

#endif
