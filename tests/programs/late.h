/* A thread that answers no request before its process gets SIGUSR1: so there is time to do something in the
 * middle of a checkpoint. SIGUSR1 is to be blocked in all other threads. */
#ifndef TESTS_LATE_H
#define TESTS_LATE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "check.h"

/* Not through libc, which does not let it block the control signal. */
static inline void be_late(volatile bool *blocked) {
  enum { CONTROL_SIGNAL = 32 };
  unsigned long set = 1ul << (CONTROL_SIGNAL - 1) | 1ul << (SIGUSR1 - 1);
  siginfo_t info;
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, sizeof set) == 0);
  *blocked = true;
  while (sigwaitinfo(&usr1, &info) != SIGUSR1)
    CHECK(errno == EINTR);
  CHECK(syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, NULL, sizeof set) == 0);
}

#endif
