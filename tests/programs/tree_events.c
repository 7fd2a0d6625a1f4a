/* A signalfd, a timerfd and an inotify instance that two processes share: what one sets the other gets, and
 * each has its own signals by the one descriptor. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "asleep.h"
#include "check.h"

static int signals, timer, expired, notes, pair[2];

static void set_signals(int more) {
  sigset_t set;
  CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 3) == 0);
  CHECK(!more || sigaddset(&set, more) == 0);
  signals = signalfd(signals, &set, SFD_NONBLOCK);
  CHECK(signals >= 0);
}

static void set_timer(int fd, long seconds, long nanoseconds) {
  struct itimerspec times = {.it_value = {seconds, nanoseconds}};
  CHECK(timerfd_settime(fd, 0, &times, NULL) == 0);
}

static void queue_own(int value) {
  CHECK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = value}) == 0);
}

static void take_own(int value) {
  struct signalfd_siginfo info;
  CHECK(read(signals, &info, sizeof info) == sizeof info && info.ssi_signo == (unsigned)SIGRTMIN + 3);
  CHECK(info.ssi_int == value && info.ssi_pid == (unsigned)getpid());
  CHECK(read(signals, &info, sizeof info) == -1 && errno == EAGAIN);
}

/* The next event, of the first watch or the other, but for the news that some are lost, which a restarted
 * program gets before. */
static void take_note(int first, const char *name) {
  char bytes[4096] __attribute__((aligned(8))), *at = bytes;
  ssize_t n = read(notes, bytes, sizeof bytes);
  struct inotify_event event;
  CHECK(n >= (ssize_t)sizeof event);
  memcpy(&event, at, sizeof event);
  if (event.mask == IN_Q_OVERFLOW) {
    at += sizeof event;
    n -= (ssize_t)sizeof event;
    if (n == 0)
      n = read(notes, at = bytes, sizeof bytes);
    CHECK(n >= (ssize_t)sizeof event);
    memcpy(&event, at, sizeof event);
  }
  CHECK(n == (ssize_t)(sizeof event + event.len) && (event.wd == 1) == first);
  CHECK(event.mask == (IN_CREATE | IN_ISDIR) && strcmp(at + sizeof event, name) == 0);
}

static void turn(char say_it, char wait_for) {
  char byte;
  CHECK(say_it == 0 || write(pair[0], &say_it, 1) == 1);
  CHECK(wait_for == 0 || (read(pair[0], &byte, 1) == 1 && byte == wait_for));
}

static _Noreturn void child(void) {
  uint64_t ticks;
  struct signalfd_siginfo info;
  alarm(300); /* should the parent be gone without a word */
  CHECK(dup2(pair[1], pair[0]) == pair[0] && close(pair[1]) == 0);
  queue_own(2);
  turn('r', 0);
  CHECK(read(timer, &ticks, 8) == 8 && ticks == 1); /* waits when the program is saved */
  take_own(2);
  turn('1', '2');
  CHECK(raise(SIGUSR1) == 0 && read(signals, &info, sizeof info) == sizeof info);
  CHECK(info.ssi_signo == SIGUSR1);
  CHECK(read(expired, &ticks, 8) == -1 && errno == EAGAIN); /* the parent has had it */
  set_timer(expired, 3600, 0);
  take_note(1, "first");
  CHECK(inotify_add_watch(notes, "below/deep", IN_CREATE) > 1);
  turn('3', '4');
  _exit(3);
}

int main(void) {
  int status;
  uint64_t ticks;
  sigset_t blocked;
  struct itimerspec left;
  CHECK(sigemptyset(&blocked) == 0 && sigaddset(&blocked, SIGRTMIN + 3) == 0 &&
        sigaddset(&blocked, SIGUSR1) == 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
  CHECK(mkdir("below", 0700) == 0 && mkdir("below/deep", 0700) == 0);
  signals = -1;
  set_signals(0);
  timer = timerfd_create(CLOCK_MONOTONIC, 0);
  expired = timerfd_create(CLOCK_MONOTONIC, 0);
  notes = inotify_init1(0);
  CHECK(timer >= 0 && expired >= 0 && inotify_add_watch(notes, "below", IN_CREATE) == 1);
  set_timer(timer, 3600, 0);
  set_timer(expired, 0, 1);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0)
    child();
  CHECK(close(pair[1]) == 0);
  queue_own(1);
  turn(0, 'r');
  wait_until_asleep(pid);

  ready();
  wait_for_go();

  take_own(1);
  CHECK(read(expired, &ticks, 8) == 8 && ticks == 1);
  CHECK(fcntl(expired, F_SETFL, O_NONBLOCK) == 0);
  set_signals(SIGUSR1);
  set_timer(timer, 0, 1);
  turn(0, '1');
  CHECK(mkdir("below/first", 0700) == 0);
  turn('2', '3');
  CHECK(timerfd_gettime(expired, &left) == 0 && left.it_value.tv_sec > 3000);
  CHECK(mkdir("below/deep/second", 0700) == 0);
  take_note(0, "second");
  turn('4', 0);
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  CHECK(rmdir("below/deep/second") == 0 && rmdir("below/first") == 0);
  success();
}
