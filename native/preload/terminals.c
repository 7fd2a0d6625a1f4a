/* Terminals: which one the program has, its modes and its size. */
#include <errno.h>
#include <linux/types.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/sys.h"
#include "describe.h"

enum { GET_MODES = 0x802c542a /* TCGETS2 */, GET_DEVICE = 0x80045432 /* TIOCGDEV */ };

static bool is_known(const struct checkpoint *c, uint32_t device) {
  const struct ckpt_terminal *all = c->terminals.entries;
  for (size_t i = 0; i < c->terminals.count; i++)
    if (all[i].device == device)
      return true;
  return false;
}

/* Of a terminal in whose background the program is, the modes are somebody else's: those of the shell while
 * it reads a line, for instance. */
static long add_terminal(struct looking *l) {
  struct ckpt_terminal t = {0};
  struct winsize size = {0};
  int32_t session = 0, foreground = 0;
  _Static_assert(sizeof t.modes == _IOC_SIZE(GET_MODES), "the kernel's struct termios2");
  long result = sys(SYS_(ioctl), l->fd, GET_DEVICE, &t.device);
  if (result < 0 || is_known(l->c, t.device))
    return result;
  if (sys(SYS_(ioctl), l->fd, TIOCGSID, &session) == 0)
    t.flags |= CKPT_TERMINAL_CONTROLS;
  result = sys(SYS_(ioctl), l->fd, TIOCGPGRP, &foreground);
  if (result < 0 || foreground == sys(SYS_(getpgid), 0))
    t.flags |= CKPT_TERMINAL_FOREGROUND;
  result = sys(SYS_(ioctl), l->fd, GET_MODES, t.modes);
  if (result < 0)
    return result;
  if (sys(SYS_(ioctl), l->fd, TIOCGWINSZ, &size) == 0) {
    t.rows = size.ws_row;
    t.columns = size.ws_col;
  }
  struct ckpt_terminal *entry = list_add(&l->c->arena, &l->c->terminals, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = t;
  return 0;
}

bool is_terminal(const struct looking *l) {
  char modes[sizeof(((struct ckpt_terminal *)0)->modes)];
  return sys(SYS_(ioctl), l->fd, GET_MODES, modes) == 0;
}

long describe_terminal(struct looking *l, struct ckpt_description *d) {
  bool master = false;
  uint32_t device = pty_of(l->fd, &master);
  if (device && is_own_pty(l->c, device))
    return describe_pty(l, d, device, master);
  if (master)
    return leads_outside(l) ? describe_outside(l, d) : refuse(l, "the master of a pseudoterminal");
  d->kind = CKPT_DESC_TERMINAL;
  long result = add_terminal(l);
  return result == 0 && leads_outside(l) ? describe_outside(l, d) : result;
}
