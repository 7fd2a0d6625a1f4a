/* A child that is stopped, whose parent knows it, and another one that answers no request before it gets
 * SIGUSR1. So there is time to continue the first while it is being saved: its parent hears of that, once. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "late.h"

static struct shared {
  volatile unsigned long turns;
  volatile bool blocked;
} * shared;
static volatile int changes, change;

static void on_child(int signal, siginfo_t *info, void *context) {
  changes += signal == SIGCHLD && context;
  change = info->si_code;
}

static pid_t start(void (*run)(void)) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid > 0)
    return pid;
  CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  run();
  _exit(1);
}

static void turn(void) {
  for (;; usleep(1000))
    ++shared->turns;
}

static void answer_late(void) {
  be_late(&shared->blocked);
  for (;;)
    pause();
}

static int look(pid_t pid, int flags) {
  siginfo_t info = {0};
  CHECK(waitid(P_PID, (id_t)pid, &info, flags | WNOHANG) == 0);
  return info.si_code;
}

static void end(pid_t pid) {
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

int main(void) {
  int status;
  char words[64];
  const struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  pid_t stopped = start(turn), late = start(answer_late);
  while (!shared->turns || !shared->blocked)
    usleep(1000);
  CHECK(kill(stopped, SIGSTOP) == 0);
  CHECK(waitpid(stopped, &status, WUNTRACED) == stopped && WIFSTOPPED(status));
  CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
  unsigned long turns = shared->turns;
  snprintf(words, sizeof words, "PROCESSES %d %d\n", stopped, late);
  say(words);

  ready();
  wait_for_go();

  for (unsigned long before = shared->turns; shared->turns == before;)
    usleep(1000);
  CHECK(shared->turns > turns && changes == 1 && change == CLD_CONTINUED);
  CHECK(look(stopped, WSTOPPED | WCONTINUED | WEXITED) == CLD_CONTINUED);
  CHECK(look(stopped, WSTOPPED | WCONTINUED | WEXITED) == 0);
  end(stopped);
  end(late);
  success();
}
