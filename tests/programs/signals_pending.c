/* Pending signals: standard ones, queued real-time ones with payload and order, sent to the thread and to
 * the process. */
#include <signal.h>
#include <sys/syscall.h>

#include "check.h"

static sigset_t blocked;

static void expect(int signal, int code, int value) {
  siginfo_t info;
  struct timespec now = {0};
  memset(&info, 0, sizeof info);
  /* glibc's sigtimedwait makes SI_USER of SI_TKILL. */
  int got = (int)syscall(SYS_rt_sigtimedwait, &blocked, &info, &now, 8);
  if (got != signal)
    FAIL("signal %d came (errno %d), not %d", got, errno, signal);
  if (info.si_code != code)
    FAIL("signal %d has code %d, not %d", signal, info.si_code, code);
  CHECK(info.si_pid == getpid() && info.si_uid == getuid());
  if (code == SI_QUEUE && info.si_value.sival_int != value)
    FAIL("signal %d carries %d, not %d", signal, info.si_value.sival_int, value);
}

int main(void) {
  int real = SIGRTMIN + 2;
  CHECK(sigemptyset(&blocked) == 0);
  static const int standard[] = {SIGUSR1, SIGTERM, SIGWINCH};
  for (size_t i = 0; i < 3; i++)
    CHECK(sigaddset(&blocked, standard[i]) == 0);
  CHECK(sigaddset(&blocked, real) == 0 && sigaddset(&blocked, real + 1) == 0);
  CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
  CHECK(kill(getpid(), SIGTERM) == 0);
  CHECK(kill(getpid(), SIGWINCH) == 0);
  CHECK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1) == 0);
  for (int i = 1; i <= 3; i++)
    CHECK(sigqueue(getpid(), real, (union sigval){.sival_int = i * 100}) == 0);
  CHECK(syscall(SYS_tgkill, getpid(), getpid(), real + 1) == 0);

  ready();
  wait_for_go();

  expect(SIGUSR1, SI_TKILL, 0);
  expect(real + 1, SI_TKILL, 0);
  expect(SIGTERM, SI_USER, 0);
  expect(SIGWINCH, SI_USER, 0);
  for (int i = 1; i <= 3; i++)
    expect(real, SI_QUEUE, i * 100);
  struct timespec now = {0};
  CHECK(sigtimedwait(&blocked, NULL, &now) == -1 && errno == EAGAIN);
  success();
}
