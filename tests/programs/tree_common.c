/* What is about a process and several processes have: entries of /proc with one position, pidfds with one set
 * of flags; and both in flight from one process to another, open nowhere besides. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "rights.h"
#include "talk.h"

static int down[2], up[2], orders[2], calls[2], answers[2];

static int open_pidfd(pid_t pid) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  CHECK(fd >= 0);
  return fd;
}

static int open_entry(pid_t pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  return fd;
}

static int has_ended(int pidfd, int timeout) {
  struct pollfd poller = {.fd = pidfd, .events = POLLIN};
  int count = poll(&poller, 1, timeout);
  CHECK(count >= 0);
  return count;
}

static void on_signal(int signal) {
  (void)signal;
  _exit(5);
}

static volatile sig_atomic_t was_signalled;

static void on_own_signal(int signal) {
  was_signalled = signal;
}

/* Has from its parent, by fork, the parent's entry, and a pidfd. */
static _Noreturn void sister(int entry, int pidfd) {
  CHECK(prctl(PR_SET_NAME, "the-sister") == 0);
  signal(SIGUSR1, on_signal);
  alarm(120); /* should the others be gone without a word */
  tell(answers[1], "ready");
  expect_next(calls[0], "sister");
  expect_next(entry, "e:");
  CHECK(fcntl(pidfd, F_GETFL) & O_NONBLOCK && fcntl(pidfd, F_SETFL, 0) == 0);
  tell(answers[1], "told");
  for (;;)
    pause();
}

static _Noreturn void child(int entry, int pidfd, pid_t parent) {
  alarm(120);
  CHECK(prctl(PR_SET_NAME, "the-child") == 0);
  int own = open("/proc/self/status", O_RDONLY);
  int inner[2];
  CHECK(own >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, inner) == 0);
  send_away(inner[0], open_pidfd(getpid()));
  send_away(inner[0], open_entry(getpid(), "comm"));
  expect_next(own, "Name");
  send_descriptor(up[1], own);
  send_away(up[1], open_pidfd(getpid()));
  send_away(up[1], open_entry(getpid(), "comm"));
  expect_next(entry, "N");
  tell(answers[1], "ready");
  expect_next(orders[0], "child");
  expect_next(entry, "\ttree_");
  CHECK(!(fcntl(pidfd, F_GETFL) & O_NONBLOCK));
  int of_sister = receive_descriptor(down[1]), of_parent = receive_descriptor(down[1]);
  int set = receive_descriptor(down[1]), gone = receive_descriptor(down[1]);
  struct epoll_event event;
  expect_next(of_parent, "tree_common\n");
  CHECK(syscall(SYS_pidfd_send_signal, gone, 0, NULL, 0) == -1 && errno == ESRCH && has_ended(gone, 0));
  CHECK(!has_ended(of_sister, 0) && epoll_wait(set, &event, 1, 0) == 0 && getppid() == parent);
  CHECK(syscall(SYS_pidfd_send_signal, of_sister, SIGUSR1, NULL, 0) == 0 && has_ended(of_sister, 20000));
  CHECK(epoll_wait(set, &event, 1, 20000) == 1 && event.data.u64 == 9);
  tell(answers[1], "done");
  int self = receive_descriptor(inner[1]);
  expect_next(receive_descriptor(inner[1]), "the-child\n");
  CHECK(signal(SIGUSR1, on_own_signal) != SIG_ERR);
  CHECK(syscall(SYS_pidfd_send_signal, self, SIGUSR1, NULL, 0) == 0 && was_signalled);
  expect_next(orders[0], "read on");
  expect_next(own, "the-");
  _exit(6);
}

static void wait_for_end(pid_t pid, int status) {
  int how;
  CHECK(waitpid(pid, &how, 0) == pid && WIFEXITED(how) && WEXITSTATUS(how) == status);
}

int main(void) {
  int entry = open_entry(getpid(), "status"), own = open_pidfd(getpid()), set = epoll_create1(0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, down) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, up) == 0);
  CHECK(set >= 0 && pipe(orders) == 0 && pipe(calls) == 0 && pipe(answers) == 0);
  pid_t parent = getpid(), first = fork();
  CHECK(first >= 0);
  if (first == 0)
    sister(entry, own);
  expect_next(answers[0], "ready");
  pid_t second = fork();
  CHECK(second >= 0);
  if (second == 0)
    child(entry, own, parent);
  expect_next(answers[0], "ready");
  pid_t ended = fork();
  CHECK(ended >= 0);
  if (ended == 0)
    _exit(0);
  int gone = open_pidfd(ended), of_first = open_pidfd(first);
  wait_for_end(ended, 0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 9};
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, of_first, &event) == 0);
  send_descriptor(down[0], of_first);
  send_away(down[0], open_entry(parent, "comm"));
  send_away(down[0], set);
  send_away(down[0], gone);
  expect_next(entry, "am");
  CHECK(fcntl(own, F_SETFL, O_NONBLOCK) == 0);
  int theirs = receive_descriptor(up[0]);
  expect_next(theirs, ":");
  ready();
  wait_for_go();

  tell(calls[1], "sister");
  expect_next(answers[0], "told");
  CHECK(!(fcntl(own, F_GETFL) & O_NONBLOCK));
  tell(orders[1], "child");
  expect_next(answers[0], "done");
  expect_next(entry, "common\n");
  expect_next(theirs, "\t");
  int of_second = receive_descriptor(up[0]), comm = receive_descriptor(up[0]);
  expect_next(comm, "the-child\n");
  wait_for_end(first, 5);
  CHECK(has_ended(of_first, 0) && !has_ended(of_second, 0));
  tell(orders[1], "read on");
  CHECK(has_ended(of_second, 20000));
  wait_for_end(second, 6);
  success();
}
