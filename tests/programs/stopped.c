/* A process that is stopped, with its child, and is saved so: not one instruction of theirs runs meanwhile,
 * its parent, which is not saved, hears of nothing, a signal waits for its thread, and SIGCONT ends the stop
 * and the wait that the main thread was in. The argument is the signal that stops them; both count turns in
 * the file "turns". */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { MAIN, THREAD, CHILD, COUNTERS, HEARD = COUNTERS };

static volatile unsigned long *turns;
static volatile sig_atomic_t continued, handled, changes;

static void on_signal(int signal) {
  continued += signal == SIGCONT;
  handled += signal == SIGUSR1;
  changes += signal == SIGCHLD;
}

static void *turn(void *counter) {
  volatile unsigned long *mine = counter;
  while (mine)
    ++*mine;
  return NULL;
}

static void await_turns(void) {
  for (int i = THREAD; i < COUNTERS; i++)
    for (unsigned long was = turns[i]; turns[i] == was;)
      usleep(1000);
}

_Noreturn static void be_saved(void) {
  pthread_t thread;
  struct timespec left = {.tv_sec = 3600};
  int status, starter = getppid();
  alarm(300); /* should the others be gone without a word */
  CHECK(setpgid(0, 0) == 0);
  signal(SIGCONT, on_signal);
  signal(SIGUSR1, on_signal);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(300);
    turn((void *)&turns[CHILD]);
  }
  /* SIGCONT is for the main thread and its wait, which another that runs first could take from it. */
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCONT);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  CHECK(pthread_create(&thread, NULL, turn, (void *)&turns[THREAD]) == 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(pthread_sigmask(SIG_SETMASK, &set, NULL) == 0);
  turns[MAIN] = 1;
  while (!continued) /* so long that a wait which began anew would be noticed */
    CHECK(nanosleep(&left, &left) < 0 && errno == EINTR);
  while (!handled)
    usleep(1000);
  CHECK(handled == 1);
  await_turns();
  CHECK(waitpid(child, &status, WNOHANG) == 0);
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
  while (getppid() == starter && !turns[HEARD]) /* it hears of an end only, if that is there first */
    usleep(1000);
  success();
}

int main(int argc, char **argv) {
  int status, stop = argc > 1 ? atoi(argv[1]) : 0;
  char words[64];
  int fd = open("turns", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
  turns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(turns != MAP_FAILED && close(fd) == 0);
  signal(SIGCHLD, on_signal);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0)
    be_saved();
  while (!turns[MAIN])
    usleep(1000);
  await_turns();
  CHECK(kill(-pid, stop) == 0);
  CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == stop);
  while (!changes) /* the kernel sends it a moment after wait() can tell */
    usleep(1000);
  CHECK(kill(pid, SIGUSR1) == 0);
  changes = 0;
  snprintf(words, sizeof words, "PROCESS %d\n", pid);
  say(words);
  ready();

  wait_for_go();
  siginfo_t info = {0};
  CHECK(changes == 0);
  CHECK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WCONTINUED | WEXITED | WNOHANG | WNOWAIT) == 0);
  CHECK(info.si_pid == 0);
  CHECK(kill(-pid, SIGCONT) == 0);
  CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
  turns[HEARD] = 1;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  success();
}
