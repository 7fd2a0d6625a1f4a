/* pthread_sigqueue to the calling thread, which not every libc has. */
#ifndef TESTS_QUEUE_H
#define TESTS_QUEUE_H

#include <signal.h>
#include <sys/syscall.h>

#include "check.h"

static inline void queue_to_self(int signal, int value) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_int = value;
  CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, &info) == 0);
}

#endif
