/* Signal descriptors: their set, flags, and a signal that waits to be read. */
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "check.h"

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 3);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 42}) == 0);
  ready();
  wait_for_go();
  struct signalfd_siginfo info;
  CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) & O_NONBLOCK);
  CHECK(read(fd, &info, sizeof info) == sizeof info);
  CHECK(info.ssi_signo == (unsigned)SIGRTMIN + 3 && info.ssi_int == 42);
  CHECK(read(fd, &info, sizeof info) == -1 && errno == EAGAIN);
  CHECK(raise(SIGUSR1) == 0);
  CHECK(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
  success();
}
