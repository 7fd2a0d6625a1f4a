/* Pidfds: of a child, watched by an epoll set; of one that has ended, for which nobody has waited; in a child
 * of its parent and of its sister, and its parent's of that sister, which it has from a fork. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int down[2];

static int open_pidfd(pid_t pid) {
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int can_signal(int pidfd) {
  return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0;
}

static int has_ended(int pidfd) {
  struct pollfd poller = {.fd = pidfd, .events = POLLIN};
  int count = poll(&poller, 1, 0);
  CHECK(count >= 0);
  return count;
}

static void on_signal(int signal) {
  (void)signal;
  _exit(5);
}

static pid_t fork_sister(void) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid > 0)
    return pid;
  signal(SIGUSR1, on_signal);
  alarm(300); /* should the others be gone without a word */
  for (;;)
    pause();
}

static _Noreturn void child(int inherited, pid_t sister) {
  char byte;
  int parent = open_pidfd(getppid()), own = open_pidfd(sister);
  alarm(300);
  CHECK(parent >= 0 && own >= 0 && write(down[1], "r", 1) == 1);
  CHECK(read(down[1], &byte, 1) == 1 && byte == 'g');
  CHECK(can_signal(parent) && !has_ended(parent) && can_signal(inherited) && !has_ended(own));
  CHECK(syscall(SYS_pidfd_send_signal, inherited, SIGUSR1, NULL, 0) == 0);
  struct pollfd poller = {.fd = own, .events = POLLIN};
  CHECK(poll(&poller, 1, 60000) == 1);
  _exit(6);
}

static void wait_by(int pidfd, pid_t pid, int status) {
  siginfo_t info;
  CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
  CHECK(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == status);
}

int main(void) {
  char byte;
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77}, seen;
  int set = epoll_create1(0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, down) == 0 && set >= 0);
  pid_t sister = fork_sister();
  int of_sister = open_pidfd(sister);
  CHECK(of_sister >= 0 && fcntl(of_sister, F_SETFL, O_NONBLOCK) == 0);
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, of_sister, &event) == 0);
  pid_t other = fork();
  CHECK(other >= 0);
  if (other == 0)
    child(of_sister, sister);
  pid_t ended = fork();
  CHECK(ended >= 0);
  if (ended == 0)
    _exit(7);
  int of_other = open_pidfd(other), of_ended = open_pidfd(ended);
  CHECK(of_other >= 0 && of_ended >= 0 && read(down[0], &byte, 1) == 1);
  while (!has_ended(of_ended))
    ;
  ready();
  wait_for_go();
  CHECK(!has_ended(of_other) && !has_ended(of_sister) && has_ended(of_ended));
  CHECK(epoll_wait(set, &seen, 1, 0) == 0 && fcntl(of_sister, F_GETFL) & O_NONBLOCK);
  wait_by(of_ended, ended, 7);
  CHECK(write(down[0], "g", 1) == 1);
  CHECK(epoll_wait(set, &seen, 1, 60000) == 1 && seen.data.u64 == 77);
  wait_by(of_other, other, 6);
  wait_by(of_sister, sister, 5);
  success();
}
