#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "core/sys.h"
#include "core/text.h"
#include "descriptors.h"
#include "say.h"

enum { NUMBERS_MOST = 256, PIECE = 4096 };

/* Kept open for as long as the program runs: it may close all of its own, and open the terminal again. */
static int slave = -1;

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT};

/* ---- Which terminal ----------------------------------------------------------------------------------- */

static const struct ckpt_terminal *find_outer(const struct job *job) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].terminals_count; j++)
      if (!(job->images[i].terminals[j].flags & CKPT_TERMINAL_PTY))
        return &job->images[i].terminals[j];
  return NULL;
}

static bool has_terminal(void) {
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0)
    close(fd);
  return fd >= 0 || isatty(0) || isatty(1) || isatty(2);
}

void relay_warn(const struct job *job, const struct options *options) {
  if (find_outer(job) && !options->pty && !options->no_tty && !options->detach && !has_terminal())
    say_warning(
        "the program had a terminal, and goes on without: --pty makes one for it, --no-tty means that it is "
        "to have none");
}

static bool is_terminal_name(const char *name) {
  return text_starts(name, "/dev/pts/") || text_starts(name, "/dev/tty") || text_starts(name, "/dev/console");
}

static bool led_to_terminal(const struct job *job, int fd) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].descriptions_count; j++) {
      const struct ckpt_description *d = &job->images[i].descriptions[j];
      if (d->kind == CKPT_DESC_OUTSIDE && d->a == (uint64_t)fd &&
          is_terminal_name(image_string(&job->images[i], d->name)))
        return true;
    }
  return false;
}

int relay_streams(const struct job *job, const struct options *options) {
  int null = options->no_tty ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
  if (options->no_tty && null < 0)
    return say_problem("cannot open /dev/null: %s", strerror(errno));
  for (int fd = 0; fd <= 2; fd++) {
    int to = options->no_tty && isatty(fd) ? null : slave >= 0 && led_to_terminal(job, fd) ? slave : -1;
    if (to >= 0 && dup2(to, fd) < 0)
      return say_problem("cannot make descriptor %d: %s", fd, strerror(errno));
  }
  return 0;
}

int relay_hung_up(int flags) {
  int unlocked = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0)
    return -1;
  int fd = ioctl(master, TIOCSPTLCK, &unlocked) < 0
               ? -1
               : ioctl(master, TIOCGPTPEER, flags | O_NOCTTY | O_CLOEXEC);
  int error = errno;
  close(master);
  errno = error;
  return fd;
}

/* ---- Making it ---------------------------------------------------------------------------------------- */

static bool is_wanted(const struct job *job, unsigned number) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].ptys_count; j++)
      if (job->images[i].ptys[j].number == number)
        return true;
  return false;
}

/* Not under the number of one that the program will make again. */
static int open_master(const struct job *job) {
  int opened[NUMBERS_MOST], count = 0, chosen = -1;
  while (count < NUMBERS_MOST && chosen < 0) {
    unsigned number;
    int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
      break;
    if (ioctl(fd, TIOCGPTN, &number) == 0 && !is_wanted(job, number))
      chosen = fd;
    else
      opened[count++] = fd;
  }
  int error = errno;
  while (count > 0)
    close(opened[--count]);
  errno = error;
  return chosen;
}

/* That of restart's own terminal, or of the one that the program had. */
static void set_size(int master, const struct ckpt_terminal *saved) {
  struct winsize size = {.ws_row = 24, .ws_col = 80};
  if (saved && saved->rows && saved->columns) {
    size.ws_row = (unsigned short)saved->rows;
    size.ws_col = (unsigned short)saved->columns;
  }
  for (int fd = 0; fd <= 2; fd++)
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row)
      break;
  ioctl(master, TIOCSWINSZ, &size);
}

/* ---- The process in front ----------------------------------------------------------------------------- */

struct relay {
  int master;
  int signals;
  pid_t pid;
  const struct ckpt_terminal *saved;
  struct termios before;
  bool raw;
  bool reads; /* its own input has not ended */
  char input[PIECE];
  size_t begin, end;
};

static void become_raw(struct relay *r) {
  struct termios modes;
  if (tcgetpgrp(0) != getpgrp() || tcgetattr(0, &modes) < 0)
    return;
  if (!r->raw)
    r->before = modes;
  cfmakeraw(&modes);
  r->raw = tcsetattr(0, TCSADRAIN, &modes) == 0;
}

static void give_back(const struct relay *r) {
  if (r->raw && tcgetpgrp(0) == getpgrp())
    tcsetattr(0, TCSADRAIN, &r->before);
}

/* The end of its input is what the program's terminal takes for one. */
static void read_input(struct relay *r) {
  struct termios modes;
  ssize_t n = read(0, r->input, sizeof r->input);
  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return;
  r->begin = 0;
  r->end = n > 0 ? (size_t)n : 0;
  if (n > 0)
    return;
  r->reads = false;
  if (tcgetattr(r->master, &modes) == 0 && modes.c_lflag & ICANON)
    r->input[r->end++] = (char)modes.c_cc[VEOF];
}

static void write_input(struct relay *r) {
  ssize_t n = write(r->master, r->input + r->begin, r->end - r->begin);
  if (n > 0)
    r->begin += (size_t)n;
}

/* False when nobody has the other side open any more. */
static bool copy_output(const struct relay *r) {
  char output[PIECE];
  ssize_t n = read(r->master, output, sizeof output);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  /* Where it cannot be written the program goes on all the same. */
  (void)sys_write_full(1, output, (size_t)n);
  return n > 0;
}

static void take_signal(struct relay *r) {
  struct signalfd_siginfo info;
  if (read(r->signals, &info, sizeof info) != sizeof info || info.ssi_signo == SIGCHLD)
    return;
  if (info.ssi_signo == SIGWINCH)
    set_size(r->master, r->saved);
  else
    kill(r->pid, (int)info.ssi_signo);
  if (info.ssi_signo == SIGCONT)
    become_raw(r);
}

static bool has_ended(const struct relay *r, int *status) {
  return waitpid(r->pid, status, WNOHANG) == r->pid;
}

static int relay(struct relay *r) {
  int status = 0;
  bool ended = false, open = true;
  while (!(ended = ended || has_ended(r, &status)) || open) {
    bool full = r->begin < r->end;
    struct pollfd wait[3] = {
        {.fd = r->signals, .events = POLLIN},
        {.fd = open ? r->master : -1, .events = (short)(POLLIN | (full ? POLLOUT : 0))},
        {.fd = r->reads && !full && !ended ? 0 : -1, .events = POLLIN},
    };
    /* What is still to be read when the program has ended is there at once. */
    int n = poll(wait, 3, ended ? 0 : -1);
    if (n == 0)
      break;
    if (n < 0)
      continue;
    if (wait[0].revents)
      take_signal(r);
    if (wait[1].revents & (POLLIN | POLLHUP | POLLERR))
      open = copy_output(r);
    if (full && wait[1].revents & POLLOUT)
      write_input(r);
    if (wait[2].revents)
      read_input(r);
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

__attribute__((noreturn)) static void be_in_front(int master, pid_t pid, const struct ckpt_terminal *saved) {
  static struct relay r;
  sigset_t set;
  r = (struct relay){.master = master, .pid = pid, .saved = saved, .reads = true};
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGWINCH);
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
    sigaddset(&set, passed_on[i]);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTTOU, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  r.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  become_raw(&r);
  int status = relay(&r);
  give_back(&r);
  _exit(status);
}

/* Everything but what it relays between: partners of the program are to see it go. */
static void keep_only(int master) {
  if (master > 3)
    close_range(3, (unsigned)master - 1, 0);
  close_range((unsigned)master + 1, ~0u, 0);
}

int relay_begin(const struct job *job) {
  const struct ckpt_terminal *saved = find_outer(job);
  int unlocked = 0, master;
  if (!saved)
    return say_problem("the program had no terminal that --pty could make again");
  master = open_master(job);
  if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
    return say_problem("cannot make a pseudoterminal: %s", strerror(errno));
  set_size(master, saved);
  slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0)
    return say_problem("cannot open the other side of a pseudoterminal: %s", strerror(errno));
  pid_t pid = fork();
  if (pid < 0)
    return say_problem("cannot start a process: %s", strerror(errno));
  if (pid > 0) {
    keep_only(master);
    be_in_front(master, pid, saved);
  }
  close(master);
  if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
    return say_problem("cannot make a pseudoterminal the controlling terminal: %s", strerror(errno));
  return 0;
}
