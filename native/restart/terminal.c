#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "say.h"

static const char controlling[] = "/dev/tty";

/* One that led outside; those of the program's own are in ptys.c. */
static bool controls(const struct ckpt_terminal *terminal) {
  return (terminal->flags & (CKPT_TERMINAL_CONTROLS | CKPT_TERMINAL_PTY)) == CKPT_TERMINAL_CONTROLS;
}

bool terminal_controls(const struct image *image) {
  int fd = open(controlling, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0)
    return false;
  close(fd);
  for (uint32_t i = 0; i < image->terminals_count; i++)
    if (controls(&image->terminals[i]))
      return true;
  return false;
}

/* The controlling terminal, or that of standard input, output or error. */
static int find_path(char path[PATH_MAX]) {
  int fd = open(controlling, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    memcpy(path, controlling, sizeof controlling);
    return 0;
  }
  for (fd = 0; fd <= 2; fd++)
    if (isatty(fd))
      return ttyname_r(fd, path, PATH_MAX) == 0 ? 0 : -1;
  return -1;
}

/* It is nobody's business but that of those in the foreground. All signals are blocked, so the kernel would
 * not stop us. */
static int open_ours(const char *path, pid_t lent_to) {
  pid_t foreground;
  int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0 && ioctl(fd, TIOCGPGRP, &foreground) == 0 && foreground != getpgrp() && foreground != lent_to) {
    close(fd);
    return -1;
  }
  return fd;
}

static const struct ckpt_terminal *find_own(const struct job *job) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].terminals_count; j++)
      if (job->images[i].terminals[j].flags & CKPT_TERMINAL_FOREGROUND)
        return &job->images[i].terminals[j];
  return NULL;
}

void terminal_set(const struct job *job, struct terminal *terminal) {
  const struct ckpt_terminal *saved = find_own(job);
  struct termios2 modes;
  if (!saved || find_path(terminal->path) < 0)
    return;
  int fd = open_ours(terminal->path, terminal->lent_to);
  if (fd < 0)
    return;
  if (ioctl(fd, TCGETS2, &terminal->before) == 0) {
    _Static_assert(sizeof modes == sizeof saved->modes, "the kernel's struct termios2");
    memcpy(&modes, saved->modes, sizeof modes);
    /* The line itself is this terminal's: its speed, how many bits a character has. */
    modes.c_cflag = terminal->before.c_cflag;
    modes.c_line = terminal->before.c_line;
    modes.c_ispeed = terminal->before.c_ispeed;
    modes.c_ospeed = terminal->before.c_ospeed;
    terminal->set = ioctl(fd, TCSETS2, &modes) == 0;
    if (!terminal->set)
      say_warning("cannot set the modes of the terminal %s: %s", terminal->path, strerror(errno));
  }
  close(fd);
}

/* ---- The foreground ----------------------------------------------------------------------------------- */

static int open_controlling(pid_t *foreground) {
  int fd = open(controlling, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || ioctl(fd, TIOCGPGRP, foreground) == 0)
    return fd;
  close(fd);
  return -1;
}

/* All signals are blocked, so it may be done from the background, too. */
static void set_foreground(int fd, pid_t group) {
  if (ioctl(fd, TIOCSPGRP, &group) < 0)
    say_warning("cannot bring process group %d to the foreground: %s", group, strerror(errno));
}

bool terminal_is_ours(void) {
  pid_t foreground;
  int fd = open_controlling(&foreground);
  if (fd < 0)
    return false;
  close(fd);
  return foreground == getpgrp();
}

void terminal_take(const struct image *image) {
  const uint32_t both = CKPT_TERMINAL_CONTROLS | CKPT_TERMINAL_FOREGROUND;
  pid_t foreground;
  for (uint32_t i = 0; i < image->terminals_count; i++) {
    if ((image->terminals[i].flags & both) != both)
      continue;
    int fd = open_controlling(&foreground);
    if (fd < 0)
      return;
    set_foreground(fd, getpgrp());
    close(fd);
    return;
  }
}

void terminal_lend(const struct terminal *terminal) {
  pid_t foreground;
  int fd = terminal->lent_to ? open_controlling(&foreground) : -1;
  if (fd < 0)
    return;
  if (foreground == getpgrp())
    set_foreground(fd, terminal->lent_to);
  close(fd);
}

/* Not from somebody else, to whom a shell may have given it meanwhile. */
void terminal_take_back(const struct terminal *terminal) {
  pid_t foreground;
  int fd = terminal->lent_to ? open_controlling(&foreground) : -1;
  if (fd < 0)
    return;
  if (foreground == terminal->lent_to || (kill(-foreground, 0) < 0 && errno == ESRCH))
    set_foreground(fd, getpgrp());
  close(fd);
}

void terminal_reset(const struct terminal *terminal) {
  int fd = terminal->set ? open_ours(terminal->path, terminal->lent_to) : -1;
  if (fd < 0)
    return;
  ioctl(fd, TCSETS2, &terminal->before); /* should it be gone, there is nothing to reset */
  close(fd);
}
