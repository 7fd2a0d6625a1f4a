#include "copies.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "running.h"
#include "say.h"

struct copy {
  pid_t pid;
  int gate; /* our end of it */
  bool ended;
  int status;
};

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

int copies_fork(struct copies *copies, uint32_t count, int *gate) {
  *copies = (struct copies){.list = calloc(count, sizeof *copies->list)};
  if (!copies->list)
    return say_problem("not enough memory");
  for (uint32_t i = 0; i < count; i++) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
      return say_problem("cannot make a socket: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
      /* Whose gates were open here would not learn of our end. */
      for (uint32_t j = 0; j < i; j++)
        close(copies->list[j].gate);
      close(ends[0]);
      setsid();
      *gate = ends[1];
      return (int)i + 1;
    }
    int error = errno;
    close(ends[1]);
    if (pid < 0) {
      close(ends[0]);
      return say_problem("cannot start a process: %s", strerror(error));
    }
    copies->list[copies->count++] = (struct copy){.pid = pid, .gate = ends[0]};
  }
  return 0;
}

int copy_wait(int gate) {
  char go = 1;
  ssize_t n = send(gate, &go, 1, MSG_NOSIGNAL);
  while (n == 1 && (n = read(gate, &go, 1)) < 0 && errno == EINTR)
    n = 1;
  close(gate);
  return n == 1 ? 0 : -1;
}

static int status_of(const struct copy *copy) {
  return WIFSIGNALED(copy->status) ? 128 + WTERMSIG(copy->status) : WEXITSTATUS(copy->status);
}

/* How many are left. */
static uint32_t reap(struct copies *copies) {
  uint32_t left = 0;
  for (uint32_t i = 0; i < copies->count; i++) {
    struct copy *copy = &copies->list[i];
    if (!copy->ended)
      copy->ended = waitpid(copy->pid, &copy->status, WNOHANG) == copy->pid;
    left += !copy->ended;
  }
  return left;
}

static int first_failure(const struct copies *copies) {
  for (uint32_t i = 0; i < copies->count; i++)
    if (copies->list[i].ended && status_of(&copies->list[i]) != 0)
      return status_of(&copies->list[i]);
  return 0;
}

static void signals_to_take(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGCHLD);
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
    sigaddset(set, passed_on[i]);
}

static int take_signal(struct copies *copies, int signals) {
  struct signalfd_siginfo info;
  if (read(signals, &info, sizeof info) != sizeof info)
    return 0;
  if (info.ssi_signo != SIGCHLD)
    return 128 + (int)info.ssi_signo;
  if (reap(copies) == copies->count)
    return 0;
  return first_failure(copies) ? first_failure(copies) : 1;
}

int copies_gather(struct copies *copies) {
  struct pollfd *wait = calloc(copies->count + 1ul, sizeof *wait);
  sigset_t set;
  signals_to_take(&set);
  int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), status = 0;
  if (!wait || signals < 0) {
    fprintf(stderr, "restart: cannot wait for the copies: %s\n", strerror(errno));
    free(wait);
    return 1;
  }
  wait[0] = (struct pollfd){.fd = signals, .events = POLLIN};
  for (uint32_t i = 0; i < copies->count; i++)
    wait[i + 1] = (struct pollfd){.fd = copies->list[i].gate, .events = POLLIN};
  for (uint32_t left = copies->count; left && status == 0;) {
    if (poll(wait, copies->count + 1ul, -1) < 0)
      continue;
    if (wait[0].revents)
      status = take_signal(copies, signals);
    for (uint32_t i = 1; i <= copies->count; i++) {
      char here;
      if (wait[i].fd < 0 || !wait[i].revents)
        continue;
      left -= read(wait[i].fd, &here, 1) == 1; /* else it has ended, and SIGCHLD is on its way */
      wait[i].fd = -1;
    }
  }
  close(signals);
  free(wait);
  return status;
}

void copies_end(struct copies *copies) {
  for (uint32_t i = 0; i < copies->count; i++) {
    struct copy *copy = &copies->list[i];
    close(copy->gate);
    if (!copy->ended)
      kill(copy->pid, SIGTERM);
  }
  for (uint32_t i = 0; i < copies->count; i++)
    while (!copies->list[i].ended && waitpid(copies->list[i].pid, NULL, 0) < 0 && errno == EINTR)
      ;
}

void copies_go(struct copies *copies) {
  char go = 1;
  for (uint32_t i = 0; i < copies->count; i++) {
    send(copies->list[i].gate, &go, 1, MSG_NOSIGNAL); /* one that has ended since says so by its status */
    close(copies->list[i].gate);
  }
}

int copies_follow(struct copies *copies) {
  sigset_t set;
  signals_to_take(&set);
  while (reap(copies)) {
    int number = sigwaitinfo(&set, NULL);
    for (uint32_t i = 0; number > 0 && number != SIGCHLD && i < copies->count; i++)
      if (!copies->list[i].ended)
        kill(copies->list[i].pid, number);
  }
  return first_failure(copies);
}
