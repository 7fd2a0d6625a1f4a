/* tree_signals [ended]: children, of which one is stopped, and SIGCHLD, which is blocked and has no handler:
 * with "ended" it waits, since another one has ended; else it does not. */
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

static sigset_t child;

static pid_t begin(void) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    for (;;)
      pause();
  }
  return pid;
}

static bool take(siginfo_t *info) {
  static const struct timespec none;
  return sigtimedwait(&child, info, &none) == SIGCHLD;
}

int main(int argc, char **argv) {
  siginfo_t info;
  int status;
  bool waits = argc == 2 && strcmp(argv[1], "ended") == 0;
  CHECK(sigemptyset(&child) == 0 && sigaddset(&child, SIGCHLD) == 0);
  CHECK(sigprocmask(SIG_BLOCK, &child, NULL) == 0);
  pid_t runs = begin(), stopped = begin(), ended = -1;
  CHECK(kill(stopped, SIGSTOP) == 0 && waitpid(stopped, &status, WUNTRACED) == stopped);
  CHECK(take(&info) && info.si_pid == stopped);
  if (waits) {
    ended = fork();
    CHECK(ended >= 0);
    if (ended == 0)
      _exit(7);
    CHECK(waitid(P_PID, (id_t)ended, &info, WEXITED | WNOWAIT) == 0);
  }

  ready();
  wait_for_go();

  if (waits) {
    CHECK(take(&info) && info.si_code == CLD_EXITED && info.si_pid == ended && info.si_status == 7);
    CHECK(waitpid(ended, &status, 0) == ended);
  }
  CHECK(!take(&info));
  CHECK(kill(runs, SIGKILL) == 0 && kill(stopped, SIGKILL) == 0);
  CHECK(waitpid(runs, &status, 0) == runs && waitpid(stopped, &status, 0) == stopped);
  CHECK(take(&info));
  success();
}
