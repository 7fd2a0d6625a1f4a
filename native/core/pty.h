/* What waits in a pseudoterminal, both ways: its buffers cannot be peeked at, so it is taken and put back. */
#ifndef CKPT_PTY_H
#define CKPT_PTY_H

#include <asm/termbits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/image.h"

/* More than the kernel's buffers hold. */
enum { PTY_WAITING_MOST = 256 << 10 };

struct pty {
  int master;
  int slave; /* an opening of ours, with O_NONBLOCK */
  struct termios2 modes;
  uint32_t flags;  /* CKPT_PTY_PACKET, _STOPPED, _SUSPENDED */
  uint32_t status; /* TIOCPKT_*, which the master has not read yet */
};

/* While nobody else has anything to do with it: copies what waits into `records` (struct ckpt_waiting, of
 * which there is at least one; PTY_WAITING_MOST bytes), fills in modes, flags and status, and leaves
 * everything as it was. The size, or a negative errno. */
long pty_copy(struct pty *pty, uint8_t *records);
/* Makes one in which nothing waits what `pty` says, with these records in it: 0 or a negative errno. Also
 * when it fails, the modes are set. */
long pty_put(const struct pty *pty, const uint8_t *records, size_t size);

#endif
