#include "follow.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"
#include "restorer/plan.h"
#include "say.h"

static const int passed_on[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH};

void follow_block_signals(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  /* Ignored children would be reaped by nobody, with no status. */
  signal(SIGCHLD, SIG_DFL);
}

void follow_kill(pid_t pid) {
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

/* ---- The new process ---------------------------------------------------------------------------------- */

struct packet {
  struct plan_news news;
  char words[16384];
};

/* One packet: its size, 0 at the end. */
static ssize_t receive(int socket, struct packet *packet) {
  ssize_t n;
  do
    n = recv(socket, packet, sizeof *packet - 1, 0);
  while (n < 0 && errno == EINTR);
  if (n >= 0)
    ((char *)packet)[n] = 0;
  return n >= (ssize_t)sizeof packet->news ? n : 0;
}

static enum follow_result give_up(const struct following *f) {
  follow_kill(f->pid);
  return FOLLOW_FAILED;
}

static void explain_end(const struct following *f, uint32_t index) {
  int status = 0;
  pid_t pid = f->pid;
  /* A descendant's end is its parent's to see. */
  if (index == 0)
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
      ;
  if (say_has_problem())
    return;
  if (index == 0 && WIFSIGNALED(status))
    say_problem("the new process was killed by signal %d (%s) before the program ran", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
  else
    say_problem("the new process %d ended before the program ran", f->images[index].process.pid);
}

/* *done: it is as far as `wanted` says or, once started, runs. What else it has to say is passed on. */
static enum follow_result take_news(const struct following *f, uint32_t index, uint32_t wanted, bool *done) {
  struct packet packet;
  bool started = wanted == 0;
  ssize_t n = receive(f->sockets[index], &packet);
  if (n == 0 && started) { /* should it have died since, its status says so */
    *done = true;
    return FOLLOW_ON;
  }
  if (n == 0) {
    explain_end(f, index);
    return index == 0 ? FOLLOW_FAILED : give_up(f);
  }
  if (packet.news.kind == wanted) {
    *done = true;
    return FOLLOW_ON;
  }
  switch (packet.news.kind) {
  case PLAN_NEWS_WARNING:
    say_warning("%s", packet.words);
    return FOLLOW_ON;
  case PLAN_NEWS_WORDS:
    say_problem("%s", packet.words);
    break;
  default:
    plan_explain(&f->images[index], &packet.news);
  }
  return give_up(f);
}

static bool stops(const struct following *f, uint32_t index) {
  return f->images[index].process.stop_signal != 0;
}

static bool supervises(const struct following *f, uint32_t index) {
  for (uint32_t i = 1; i < f->count; i++)
    if (i != index && stops(f, i) && !f->images[i].process.orphan &&
        f->images[i].process.ppid == f->images[index].process.pid)
      return true;
  return false;
}

static bool tells(const struct following *f, uint32_t index, uint32_t news) {
  return news != PLAN_NEWS_STOPPED || supervises(f, index);
}

/* Until each has come as far as `wanted`; `signals`: what cancels it, or -1. */
static enum follow_result take_all_news(const struct following *f, uint32_t wanted, int signals,
                                        int *signal) {
  struct pollfd *wait = calloc(f->count + 1ul, sizeof *wait);
  uint32_t left = f->count;
  enum follow_result result = FOLLOW_ON;
  if (!wait) {
    say_problem("not enough memory");
    return give_up(f);
  }
  wait[0] = (struct pollfd){.fd = signals, .events = POLLIN};
  for (uint32_t i = 0; i < f->count; i++)
    wait[i + 1] = (struct pollfd){.fd = tells(f, i, wanted) ? f->sockets[i] : -1, .events = POLLIN};
  for (uint32_t i = 0; i < f->count; i++)
    left -= wait[i + 1].fd < 0;
  while (result == FOLLOW_ON && left) {
    struct signalfd_siginfo info;
    if (poll(wait, f->count + 1ul, -1) < 0)
      continue;
    if (signals >= 0 && read(signals, &info, sizeof info) == sizeof info) {
      *signal = (int)info.ssi_signo;
      follow_kill(f->pid);
      result = FOLLOW_CANCELLED;
    }
    for (uint32_t i = 0; i < f->count && result == FOLLOW_ON; i++) {
      bool done = false;
      if (wait[i + 1].revents)
        result = take_news(f, i, wanted, &done);
      if (!done)
        continue;
      wait[i + 1].fd = -1;
      left--;
    }
  }
  free(wait);
  return result;
}

enum follow_result follow_until(const struct following *f, uint32_t news, int *signal) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGHUP);
  sigaddset(&ends, SIGQUIT);
  int signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
  enum follow_result result = take_all_news(f, news, signals, signal);
  if (signals >= 0)
    close(signals);
  return result;
}

static bool goes_first(const struct following *f, uint32_t index) {
  return stops(f, index) || supervises(f, index);
}

/* Who supervises waits a second time, unless it stops itself. */
static bool goes_last(const struct following *f, uint32_t index) {
  return !stops(f, index);
}

static bool goes_always(const struct following *f, uint32_t index) {
  return index < f->count;
}

/* One that has ended by now has been killed by one that runs already: of a descendant that is the program's
 * own matter. */
static enum follow_result go_on_with(const struct following *f,
                                     bool (*goes)(const struct following *f, uint32_t index)) {
  char go = 1;
  for (uint32_t i = 0; i < f->count; i++)
    if (goes(f, i) && send(f->sockets[i], &go, 1, MSG_NOSIGNAL) != 1 && i == 0) {
      explain_end(f, i);
      return FOLLOW_FAILED;
    }
  return FOLLOW_ON;
}

enum follow_result follow_go(const struct following *f) {
  return go_on_with(f, goes_always);
}

/* Those who stop, and whose children do, go first. The others run, and may continue them, once all have
 * stopped. */
enum follow_result follow_start(const struct following *f) {
  enum follow_result result = go_on_with(f, goes_first);
  if (result == FOLLOW_ON)
    result = take_all_news(f, PLAN_NEWS_STOPPED, -1, NULL);
  if (result == FOLLOW_ON)
    result = go_on_with(f, goes_last);
  return result == FOLLOW_ON ? follow_started(f) : result;
}

enum follow_result follow_started(const struct following *f) {
  return take_all_news(f, 0, -1, NULL);
}

/* ---- The program -------------------------------------------------------------------------------------- */

/* The terminal has sent its signals to the whole group: the program has got its own. */
static bool came_to_both(const siginfo_t *info, bool shares_group) {
  return shares_group && info->si_code == SI_KERNEL && info->si_signo != SIGCONT;
}

/* The program goes on, in the foreground where that is ours to give. */
static void go_on(pid_t pid, const struct terminal *terminal) {
  terminal_lend(terminal);
  kill(terminal->lent_to ? -pid : pid, SIGCONT);
}

/* The terminal has stopped the program's group; ours stops, too, as the shell knows no other. Where nobody
 * could continue us the kernel stops nobody, and the program goes on. */
static void stop_with_group(pid_t pid, const struct terminal *terminal) {
  sigset_t stop, pending;
  terminal_take_back(terminal);
  kill(0, SIGTSTP);
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &stop, NULL);
  sigprocmask(SIG_BLOCK, &stop, NULL);
  if (sigpending(&pending) == 0 && !sigismember(&pending, SIGCONT))
    go_on(pid, terminal);
}

/* Orphans of the program are ours to wait for: nobody else would. */
static void reap_orphans(pid_t pid) {
  for (siginfo_t info;;) {
    info.si_pid = 0;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 || info.si_pid == pid)
      return;
    waitpid(info.si_pid, NULL, WNOHANG);
  }
}

/* True when the program has ended. */
static bool look_after(pid_t pid, int *status, enum follow_place place, const struct terminal *terminal,
                       struct held *held) {
  for (;;) {
    pid_t got = waitpid(pid, status, WNOHANG | WUNTRACED | WCONTINUED);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return got < 0; /* ECHILD: somebody else has reaped it */
    if (WIFCONTINUED(*status)) {
      hold_release(held);
      continue;
    }
    if (!WIFSTOPPED(*status))
      return true;
    /* The shell waits for restart, not for the program. A plain SIGSTOP was for the program alone, whoever
     * sent it continues the program alone, too. */
    if (WSTOPSIG(*status) == SIGSTOP || place == FOLLOW_ALONE)
      continue;
    if (terminal->lent_to)
      stop_with_group(pid, terminal);
    else
      kill(getpid(), SIGSTOP);
  }
}

int follow_to_end(pid_t pid, enum follow_place place, const struct terminal *terminal, struct held *held) {
  sigset_t set;
  siginfo_t info;
  int status = 0;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
    sigaddset(&set, passed_on[i]);
  while (!look_after(pid, &status, place, terminal, held)) {
    reap_orphans(pid);
    int number = sigwaitinfo(&set, &info);
    if (number == SIGCONT)
      hold_release(held);
    if (number == SIGCONT)
      go_on(pid, terminal);
    else if (number > 0 && number != SIGCHLD && !came_to_both(&info, place == FOLLOW_NEAR))
      kill(pid, number);
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
