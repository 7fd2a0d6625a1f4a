/* Pseudoterminals of the program's own: both sides, and what waits in them. */
#include "ptys.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/pty.h"
#include "core/text.h"
#include "descriptors.h"
#include "job.h"
#include "say.h"

/* The kernel gives the lowest number that is free. */
enum { NUMBERS_MOST = 4096 };

static int number_of(int master) {
  unsigned number;
  return master >= 0 && ioctl(master, TIOCGPTN, &number) == 0 ? (int)number : -1;
}

/* Opens masters until one has this number: that, or the first when none has. */
static int open_master(const char *path, uint32_t wanted, int flags) {
  int *opened = malloc(NUMBERS_MOST * sizeof *opened), count = 0, number = -1;
  char taken[64];
  if (!opened) {
    errno = ENOMEM;
    return -1;
  }
  snprintf(taken, sizeof taken, "/dev/pts/%u", wanted);
  int most = access(taken, F_OK) == 0 || wanted >= NUMBERS_MOST ? 1 : NUMBERS_MOST;
  while (count < most && number < (int)wanted) {
    int fd = open(path, flags | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
      break;
    opened[count++] = fd;
    number = number_of(fd);
  }
  int error = errno;
  int chosen = count == 0 ? -1 : number == (int)wanted ? opened[count - 1] : opened[0];
  for (int i = 0; i < count; i++)
    if (opened[i] != chosen)
      close(opened[i]);
  free(opened);
  errno = error;
  return chosen;
}

static int open_slave(const struct child *maker, int master, int flags) {
  int fd = ioctl(master, TIOCGPTPEER, flags | O_NOCTTY | O_CLOEXEC);
  return descriptor_lift(maker, fd, "the other side of a pseudoterminal");
}

static int slave_flags(const struct ckpt_description *d) {
  return (int)(d->flags & (O_ACCMODE | O_NONBLOCK | O_APPEND));
}

/* The name by which the program may open it, with whose it was. */
static void set_rights(const struct ckpt_pty *saved, int slave) {
  struct stat st;
  if (fstat(slave, &st) < 0)
    return;
  if ((st.st_uid != saved->uid || st.st_gid != saved->gid) && fchown(slave, saved->uid, saved->gid) < 0)
    say_warning("cannot give /dev/pts/%u its owner %u:%u: %s", saved->number, saved->uid, saved->gid,
                strerror(errno));
  if ((st.st_mode & 07777) != saved->mode && fchmod(slave, saved->mode) < 0)
    say_warning("cannot give /dev/pts/%u its permissions %o: %s", saved->number, saved->mode,
                strerror(errno));
}

static int set_state(const struct child *maker, const struct ckpt_description *d, const struct made_pty *made,
                     int master) {
  const struct ckpt_pty *saved = &made->saved;
  struct pty pty = {.master = master, .slave = made->slave, .flags = saved->flags, .status = saved->status};
  struct winsize window = {.ws_row = (unsigned short)saved->rows,
                           .ws_col = (unsigned short)saved->columns,
                           .ws_xpixel = (unsigned short)saved->width,
                           .ws_ypixel = (unsigned short)saved->height};
  memcpy(&pty.modes, saved->modes, sizeof pty.modes);
  if (ioctl(master, TIOCSWINSZ, &window) < 0)
    return say_problem("cannot give a pseudoterminal its size: %s", strerror(errno));
  if (made->slave < 0) {
    int packet = (saved->flags & CKPT_PTY_PACKET) != 0;
    return ioctl(master, TCSETS2, &pty.modes) < 0 || ioctl(master, TIOCPKT, &packet) < 0
               ? say_problem("cannot give a pseudoterminal its modes: %s", strerror(errno))
               : 0;
  }
  long error = pty_put(&pty, maker->image->blob + d->data, d->data_size);
  if (error < 0)
    return say_problem("cannot put what waited into the pseudoterminal /dev/pts/%u: %s", saved->number,
                       strerror((int)-error));
  set_rights(saved, made->slave);
  if (saved->flags & CKPT_PTY_EXCLUSIVE && ioctl(made->slave, TIOCEXCL) < 0)
    return say_problem("cannot make a pseudoterminal exclusive: %s", strerror(errno));
  return 0;
}

static int make_slaves(struct child *maker, uint32_t device, int master) {
  const struct image *image = maker->image;
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    if (d->kind == CKPT_DESC_PTY_SLAVE && d->a == device && maker->descriptions[i] < 0 &&
        (maker->descriptions[i] = open_slave(maker, master, slave_flags(d))) < 0)
      return -1;
  }
  return 0;
}

static int set_lock(int master, int locked) {
  return ioctl(master, TIOCSPTLCK, &locked) == 0
             ? 0
             : say_problem("cannot set the lock of a pseudoterminal: %s", strerror(errno));
}

/* Where the master was opened: a devpts has a ptmx of its own. */
static const char *master_path(const struct image *image, const struct ckpt_description *d) {
  const char *name = image_string(image, d->name);
  return text_ends(name, "/ptmx") && access(name, R_OK | W_OK) == 0 ? name : "/dev/ptmx";
}

static int make_pty(struct child *maker, uint32_t index, struct made_pty *made) {
  const struct ckpt_description *d = &maker->image->descriptions[index];
  int master = open_master(master_path(maker->image, d), made->saved.number, slave_flags(d) | O_RDWR);
  int number = number_of(master);
  master = maker->descriptions[index] = descriptor_lift(maker, master, "/dev/ptmx");
  if (master < 0 || set_lock(master, 0) < 0)
    return -1;
  if (number != (int)made->saved.number)
    say_warning("/dev/pts/%u is taken, the program's terminal of that name is /dev/pts/%d now",
                made->saved.number, number);
  made->slave = -1;
  if (!(made->saved.flags & CKPT_PTY_UNUSED) &&
      (made->slave = open_slave(maker, master, O_RDWR | O_NONBLOCK)) < 0)
    return -1;
  if (make_slaves(maker, made->saved.device, master) < 0 || set_state(maker, d, made, master) < 0)
    return -1;
  return made->saved.flags & CKPT_PTY_LOCKED ? set_lock(master, 1) : 0;
}

/* Those whose master is gone: closing it hangs up all that lead to it. */
static int make_hung_up(struct child *maker) {
  const struct image *image = maker->image;
  bool any = false;
  for (uint32_t i = 0; i < image->descriptions_count; i++)
    any |= image->descriptions[i].kind == CKPT_DESC_PTY_SLAVE && image->descriptions[i].a == 0;
  if (!any)
    return 0;
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0)
    return say_problem("cannot open /dev/ptmx: %s", strerror(errno));
  int result = set_lock(master, 0) < 0 ? -1 : make_slaves(maker, 0, master);
  close(master);
  return result;
}

static int add_made(struct job *job, const struct ckpt_pty *saved) {
  for (uint32_t i = 0; i < job->ptys_count; i++)
    if (job->ptys[i].saved.device == saved->device)
      return say_problem("the image has the pseudoterminal /dev/pts/%u twice", saved->number);
  struct made_pty *grown = realloc(job->ptys, (job->ptys_count + 1ul) * sizeof *grown);
  if (!grown)
    return say_problem("not enough memory");
  job->ptys = grown;
  job->ptys[job->ptys_count++] = (struct made_pty){.saved = *saved, .slave = -1};
  return 0;
}

int ptys_make_all(struct job *job, struct child *maker) {
  const struct image *image = maker->image;
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    if (d->kind != CKPT_DESC_PTY_MASTER)
      continue;
    if (d->data_size == 0)
      return say_problem("no process of the image has the state of a pseudoterminal (%s)",
                         image_string(image, d->name));
    if (add_made(job, &image->ptys[d->a]) < 0 || make_pty(maker, i, &job->ptys[job->ptys_count - 1]) < 0)
      return -1;
  }
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    if (d->kind == CKPT_DESC_PTY_SLAVE && d->a && maker->descriptions[i] < 0)
      return say_problem("the image lacks the pseudoterminal that %s belongs to",
                         image_string(image, d->name));
  }
  return make_hung_up(maker);
}

/* ---- Sessions ----------------------------------------------------------------------------------------- */

static const struct made_pty *controlling(const struct child *child) {
  const struct image *image = child->image;
  const uint32_t both = CKPT_TERMINAL_CONTROLS | CKPT_TERMINAL_PTY;
  for (uint32_t i = 0; i < image->terminals_count; i++)
    for (uint32_t j = 0; j < child->job->ptys_count; j++)
      if ((image->terminals[i].flags & both) == both &&
          child->job->ptys[j].saved.device == image->terminals[i].device && child->job->ptys[j].slave >= 0)
        return &child->job->ptys[j];
  return NULL;
}

int ptys_take_controlling(const struct child *child) {
  const struct made_pty *pty = controlling(child);
  if (!pty || ioctl(pty->slave, TIOCSCTTY, 0) == 0)
    return 0;
  return say_problem("cannot make /dev/pts/%u the controlling terminal of process %d: %s", pty->saved.number,
                     child->image->process.pid, strerror(errno));
}

int ptys_leave_controlling(const struct child *child) {
  const struct child *leader = job_find(child->job, child->image->process.sid);
  if (!leader || leader == child || !controlling(leader) || controlling(child))
    return 0;
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  int result = ioctl(fd, TIOCNOTTY);
  close(fd);
  return result == 0 ? 0
                     : say_problem("cannot take the terminal from process %d, which had none: %s",
                                   child->image->process.pid, strerror(errno));
}

/* A group that has ended since cannot be in the foreground; then its shell is. */
void ptys_set_foreground(const struct child *child) {
  const struct made_pty *pty = controlling(child);
  if (!pty || child->options->pids == PID_NEW || pty->saved.foreground <= 0)
    return;
  pid_t group = pty->saved.foreground;
  if (ioctl(pty->slave, TIOCSPGRP, &group) < 0 && errno != ESRCH)
    say_warning("cannot bring process group %d to the foreground of /dev/pts/%u: %s", group,
                pty->saved.number, strerror(errno));
}
