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
#include <poll.h>
#include <string.h>

#include "core/sys.h"
#include "pty_parts.h"

bool pty_polls(int fd, short events) {
  struct pollfd poller = {.fd = fd, .events = events};
  return sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & events;
}

long pty_set_modes(const struct pty *pty, const struct termios2 *modes) {
  return sys(SYS_(ioctl), pty->slave, TCSETS2, modes);
}

long pty_set_packet(const struct pty *pty, int on) {
  return sys(SYS_(ioctl), pty->master, TIOCPKT, &on);
}

struct termios2 pty_quiet_modes(const struct pty *pty, bool canonical) {
  struct termios2 modes = pty->modes;
  modes.c_iflag = modes.c_oflag = 0;
  modes.c_lflag = canonical ? ICANON | IEXTEN : 0;
  memset(modes.c_cc, 0, sizeof modes.c_cc);
  if (!canonical)
    modes.c_cc[VMIN] = 1;
  return modes;
}

bool pty_is_canonical(const struct pty *pty) {
  return (pty->modes.c_lflag & (ICANON | EXTPROC)) == ICANON;
}

long pty_copy(struct pty *pty, uint8_t *records) {
  struct taken taken = {.records = records};
  long result = sys(SYS_(ioctl), pty->slave, TCGETS2, &pty->modes);
  if (result < 0)
    return result;
  result = pty_take(pty, &taken);
  long put = pty_put(pty, records, taken.size);
  return result < 0 ? result : put < 0 ? put : (long)taken.size;
}
