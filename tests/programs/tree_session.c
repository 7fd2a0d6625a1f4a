/* A child that has led a session and has ended, and a process in that session that is nobody's any more: the
 * id of the child is the session's, also when the parent has waited for it. Says which process is left. */
#include <signal.h>
#include <sys/wait.h>

#include "check.h"

/* Nobody is to wait for what it might write. */
static _Noreturn void stay(void) {
  CHECK(setpgid(0, 0) == 0);
  for (int fd = 0; fd < 3; fd++)
    close(fd);
  for (;;)
    pause();
}

static _Noreturn void lead(void) {
  CHECK(setsid() > 0);
  pid_t left = fork();
  CHECK(left >= 0);
  if (left == 0)
    stay();
  CHECK(setpgid(left, left) == 0 || errno == ESRCH || errno == EACCES);
  dprintf(1, "left %d\n", left);
  _exit(3);
}

int main(void) {
  siginfo_t info;
  int status;
  pid_t leader = fork();
  CHECK(leader >= 0);
  if (leader == 0)
    lead();
  CHECK(waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT) == 0);

  ready();
  wait_for_go();

  CHECK(waitpid(leader, &status, 0) == leader && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  success();
}
