/* Pseudoterminals of the job's own: those whose masters its processes have open. */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tty.h>
#include <poll.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "core/dir.h"
#include "core/pty.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "job.h"
#include "open_files.h"

struct window {
  uint16_t rows, columns, width, height;
};

/* One opening of one side. */
struct side {
  uint32_t device;
  bool master;
  bool outside; /* the program was started with it */
  int fd;       /* where the calling process has it, or -1 */
};

static bool is_pty_device(uint64_t device) {
  return major(device) >= 136 && major(device) <= 143;
}

uint32_t pty_of(int fd, bool *master) {
  uint32_t device = 0;
  int32_t number;
  if (sys(SYS_(ioctl), fd, TIOCGDEV, &device) < 0 || !is_pty_device(device))
    return 0;
  *master = sys(SYS_(ioctl), fd, TIOCGPTN, &number) == 0;
  return device;
}

/* ---- Which there are ---------------------------------------------------------------------------------- */

static long add_side(struct checkpoint *c, struct side side) {
  struct side *entry = list_add(&c->arena, &c->pty_sides, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = side;
  return 0;
}

static long add_of_job(struct checkpoint *c) {
  const struct open_file *files = c->open_files.entries;
  long result = 0;
  for (size_t i = 0; i < c->open_files.count && result == 0; i++) {
    const struct open_file *file = &files[i];
    struct side side = {.device = file->terminal, .master = file->master};
    side.outside = file->fd > 2 && file->process == 0 && file->outside;
    side.fd = file->process == c->order->process ? file->fd : -1;
    if (side.device)
      result = add_side(c, side);
  }
  return result;
}

static long add_own(struct checkpoint *c, int fd) {
  struct stat st;
  struct side side = {.fd = fd};
  side.device = pty_of(fd, &side.master);
  if (!side.device || sys(SYS_(fstat), fd, &st) < 0)
    return 0;
  side.outside = fd > 2 && outside_number(fd, st.st_dev, st.st_ino) >= 0;
  return add_side(c, side);
}

long find_ptys(struct checkpoint *c, struct dir *dir) {
  uint64_t fd;
  if (c->order)
    return add_of_job(c);
  long result = dir_open(dir, AT_FDCWD, "/proc/thread-self/fd");
  if (result < 0)
    return fail(c, result, "/proc/self/fd: %s", text_errno(result));
  for (const char *name; result == 0 && (name = dir_next(dir));)
    if (text_is_decimal(name, &fd))
      result = add_own(c, (int)fd);
  dir_close(dir);
  return result == 0 ? dir->error : result;
}

/* A master that the job was started with is another program's, too. */
bool is_own_pty(const struct checkpoint *c, uint32_t device) {
  const struct side *sides = c->pty_sides.entries;
  bool found = false;
  for (size_t i = 0; i < c->pty_sides.count; i++)
    if (sides[i].device == device && sides[i].master) {
      if (sides[i].outside)
        return false;
      found = true;
    }
  return found;
}

static bool has_slave(const struct checkpoint *c, uint32_t device) {
  const struct side *sides = c->pty_sides.entries;
  for (size_t i = 0; i < c->pty_sides.count; i++)
    if (sides[i].device == device && !sides[i].master)
      return true;
  return false;
}

static int own_slave(const struct checkpoint *c, uint32_t device) {
  const struct side *sides = c->pty_sides.entries;
  for (size_t i = 0; i < c->pty_sides.count; i++)
    if (sides[i].device == device && !sides[i].master && sides[i].fd >= 0)
      return sides[i].fd;
  return -1;
}

/* ---- One of them -------------------------------------------------------------------------------------- */

static short polled(int fd, short events) {
  struct pollfd poller = {.fd = fd, .events = events};
  return sys(SYS_(poll), &poller, 1, 0) == 1 ? poller.revents : 0;
}

static void describe_state(int master, struct ckpt_pty *p) {
  struct window window = {0};
  int32_t value = 0;
  if (sys(SYS_(ioctl), master, TIOCGSID, &value) == 0)
    p->session = value;
  if (sys(SYS_(ioctl), master, TIOCGPGRP, &value) == 0)
    p->foreground = value;
  if (sys(SYS_(ioctl), master, TIOCGWINSZ, &window) == 0) {
    p->rows = window.rows;
    p->columns = window.columns;
    p->width = window.width;
    p->height = window.height;
  }
  value = 0;
  if (sys(SYS_(ioctl), master, TIOCGPTLCK, &value) == 0 && value)
    p->flags |= CKPT_PTY_LOCKED;
}

/* An opening of the slave for ourselves: what is locked or exclusive is not while nobody else runs. */
static long open_slave(const struct checkpoint *c, const struct ckpt_pty *p, int master) {
  int32_t unlocked = 0, locked = 1, exclusive = 0;
  int own = own_slave(c, p->device);
  if (p->flags & CKPT_PTY_LOCKED)
    sys(SYS_(ioctl), master, TIOCSPTLCK, &unlocked);
  if (own >= 0 && sys(SYS_(ioctl), own, TIOCGEXCL, &exclusive) == 0 && exclusive)
    sys(SYS_(ioctl), own, TIOCNXCL);
  long slave = sys(SYS_(ioctl), master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (exclusive)
    sys(SYS_(ioctl), own, TIOCEXCL);
  if (p->flags & CKPT_PTY_LOCKED)
    sys(SYS_(ioctl), master, TIOCSPTLCK, &locked);
  return slave;
}

/* Nobody has opened the slave: once we did and left, the master would see that somebody has hung up. */
static long describe_unused(struct looking *l, struct ckpt_pty *p, uint8_t *records) {
  const struct ckpt_waiting none = {.kind = CKPT_WAITING_OUTPUT};
  int32_t packet = 0;
  if (polled(l->fd, POLLIN) & POLLIN)
    return refuse(l, "the master of a pseudoterminal whose other side no process of the program has open");
  p->flags |= CKPT_PTY_UNUSED;
  if (sys(SYS_(ioctl), l->fd, TIOCGPKT, &packet) == 0 && packet)
    p->flags |= CKPT_PTY_PACKET;
  memcpy(records, &none, sizeof none);
  long result = sys(SYS_(ioctl), l->fd, TCGETS2, p->modes);
  return result < 0 ? result : (long)sizeof none;
}

/* Who is in the background of a terminal may not read from it. */
static long copy_in_foreground(const struct checkpoint *c, const struct ckpt_pty *p, struct pty *pty,
                               uint8_t *records) {
  int32_t own = (int32_t)sys(SYS_(getpgid), 0), others = p->foreground;
  bool moves = c->controlling == p->device && own != others;
  if (moves)
    sys(SYS_(ioctl), pty->slave, TIOCSPGRP, &own);
  long size = pty_copy(pty, records);
  if (moves)
    sys(SYS_(ioctl), pty->slave, TIOCSPGRP, &others);
  return size;
}

static long describe_used(struct looking *l, struct ckpt_pty *p, uint8_t *records) {
  struct pty pty = {.master = l->fd};
  struct stat st;
  int32_t value = 0;
  long slave = open_slave(l->c, p, l->fd);
  if (slave < 0)
    return slave == -EBUSY
               ? refuse(l, "the master of a pseudoterminal that another process has for itself (TIOCEXCL)")
               : slave;
  pty.slave = (int)slave;
  long result = sys(SYS_(fstat), slave, &st);
  if (sys(SYS_(ioctl), slave, TIOCGEXCL, &value) == 0 && value)
    p->flags |= CKPT_PTY_EXCLUSIVE;
  value = N_TTY;
  if (sys(SYS_(ioctl), slave, TIOCGETD, &value) == 0 && value != N_TTY)
    result = refuse(l, "the master of a pseudoterminal with another line discipline");
  if (result == 0)
    result = copy_in_foreground(l->c, p, &pty, records);
  sys(SYS_(close), slave);
  if (result < 0)
    return fail(l->c, result, "descriptor %d: what waits in the pseudoterminal cannot be copied: %s",
                (int64_t)l->fd, text_errno(result));
  memcpy(p->modes, &pty.modes, sizeof p->modes);
  p->flags |= pty.flags;
  p->status = pty.status;
  p->mode = st.st_mode & 07777;
  p->uid = st.st_uid;
  p->gid = st.st_gid;
  return result;
}

static long save_pty(struct looking *l, struct ckpt_description *d, uint32_t device) {
  struct checkpoint *c = l->c;
  struct ckpt_pty p = {.device = device};
  _Static_assert(sizeof p.modes == sizeof(struct termios2), "the kernel's struct termios2");
  if (!l->records)
    l->records = arena_take(&c->arena, PTY_WAITING_MOST);
  if (!l->records)
    return -ENOMEM;
  long size = sys(SYS_(ioctl), l->fd, TIOCGPTN, &p.number);
  if (size < 0)
    return size;
  describe_state(l->fd, &p);
  bool unused = !has_slave(c, device) && !(polled(l->fd, 0) & POLLHUP);
  size = unused ? describe_unused(l, &p, l->records) : describe_used(l, &p, l->records);
  if (size < 0)
    return size;
  struct ckpt_pty *entry = list_add(&c->arena, &c->ptys, sizeof *entry);
  long offset = entry ? list_add_bytes(&c->arena, &c->blob, l->records, (size_t)size) : -ENOMEM;
  if (offset < 0)
    return offset;
  *entry = p;
  d->a = c->ptys.count - 1;
  d->data = (uint64_t)offset;
  d->data_size = (uint64_t)size;
  return 0;
}

long describe_pty(struct looking *l, struct ckpt_description *d, uint32_t device, bool master) {
  d->kind = master ? CKPT_DESC_PTY_MASTER : CKPT_DESC_PTY_SLAVE;
  d->a = master ? 0 : device;
  return master && carries_shared(l->c, shared_id(l->c, l->fd)) ? save_pty(l, d, device) : 0;
}

bool is_hung_up(const struct looking *l) {
  struct termios2 modes;
  bool terminal = is_pty_device(l->st.st_rdev) || l->st.st_rdev == makedev(5, 0);
  return terminal && sys(SYS_(ioctl), l->fd, TCGETS2, &modes) == -EIO;
}

long describe_hung_up(struct looking *l, struct ckpt_description *d) {
  const struct open_file *files = l->c->open_files.entries;
  uint32_t id = shared_id(l->c, l->fd);
  bool outside = leads_outside(l) && (!l->c->order || l->c->order->process == 0);
  for (size_t i = 0; id && i < l->c->open_files.count; i++)
    outside |= files[i].id == id && files[i].process == 0 && files[i].outside;
  if (outside)
    return describe_outside(l, d);
  d->kind = CKPT_DESC_PTY_SLAVE;
  return 0;
}

/* The controlling terminal, which no descriptor may lead to. */
long describe_controlling(struct checkpoint *c) {
  if (!c->controlling || !is_own_pty(c, c->controlling))
    return 0;
  struct ckpt_terminal *entry = list_add(&c->arena, &c->terminals, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry =
      (struct ckpt_terminal){.device = c->controlling, .flags = CKPT_TERMINAL_CONTROLS | CKPT_TERMINAL_PTY};
  return 0;
}

long find_controlling(struct checkpoint *c) {
  char *stat = arena_take(&c->arena, CKPT_PAGE);
  long result = stat ? sys_read_file("/proc/thread-self/stat", stat, CKPT_PAGE) : -ENOMEM;
  c->controlling = result < 0 ? 0 : (uint32_t)proc_stat_field(stat, 7);
  return result < 0 ? fail(c, result, "/proc/thread-self/stat: %s", text_errno(result)) : 0;
}
