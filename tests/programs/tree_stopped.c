/* Children that are stopped stay so, before and after: one of whose stop the parent knows, one of whose stop
 * it has yet to hear, one with threads, and the child of a child. Not one instruction of theirs runs
 * meanwhile, signals wait for them, and SIGCONT ends it all. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { TOLD, UNTOLD, THREADED, SLEEPER, GRANDCHILD, CHILDREN };

static const int stops[CHILDREN] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGSTOP, SIGTSTP};

static struct shared {
  volatile unsigned long turns[CHILDREN + 1];
  volatile int handled[CHILDREN];
  volatile pid_t pids[CHILDREN];
  volatile int parent_told;
} * shared;
static int self;

static void on_usr1(int signal) {
  shared->handled[self] += signal == SIGUSR1;
}

static void *turn(void *counter) {
  volatile unsigned long *turns = counter;
  while (turns)
    ++*turns;
  return NULL;
}

/* Sleeps so long that a wait which began anew would be noticed. */
static void sleep_once(void) {
  struct timespec left = {.tv_sec = 3600};
  for (;;)
    if (nanosleep(&left, &left) == 0)
      _exit(1);
}

_Noreturn static void live(int number) {
  pthread_t thread;
  self = number;
  alarm(300); /* should the others be gone without a word */
  signal(SIGUSR1, on_usr1);
  shared->pids[number] = getpid();
  if (number == SLEEPER)
    sleep_once();
  if (number == THREADED)
    CHECK(pthread_create(&thread, NULL, turn, (void *)&shared->turns[CHILDREN]) == 0);
  turn((void *)&shared->turns[number]);
  _exit(1);
}

static volatile int changes;

static void on_child(int signal) {
  changes += signal == SIGCHLD;
}

static void await(volatile unsigned long *counter) {
  for (unsigned long was = *counter; *counter == was;)
    usleep(1000);
}

static siginfo_t look(pid_t pid, int flags) {
  siginfo_t info = {0};
  CHECK(waitid(P_PID, (id_t)pid, &info, flags | WNOWAIT) == 0);
  return info;
}

/* Has a child of its own, whose stop it has heard of, and tells of what it hears later. */
_Noreturn static void be_parent(void) {
  int status;
  alarm(300);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(setpgid(0, 0) == 0);
    live(GRANDCHILD);
  }
  CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
  shared->parent_told = 1;
  CHECK(waitpid(pid, &status, WUNTRACED | WCONTINUED) == pid && WIFCONTINUED(status));
  shared->parent_told = 2;
  CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSIGNALED(status));
  _exit(0);
}

int main(void) {
  pid_t pids[CHILDREN], parent;
  int status;
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  signal(SIGCHLD, on_child);
  for (int i = 0; i < GRANDCHILD; i++) {
    pids[i] = fork();
    CHECK(pids[i] >= 0);
    if (pids[i] == 0) {
      CHECK(i == SLEEPER || setpgid(0, 0) == 0); /* a group that its parent can continue */
      live(i);
    }
  }
  parent = fork();
  CHECK(parent >= 0);
  if (parent == 0)
    be_parent();
  while (!shared->pids[GRANDCHILD] || !shared->pids[SLEEPER])
    usleep(1000);
  pids[GRANDCHILD] = shared->pids[GRANDCHILD];
  for (int i = 0; i <= CHILDREN; i++)
    if (i != SLEEPER)
      await(&shared->turns[i]);
  for (int i = 0; i < CHILDREN; i++) {
    changes = 0;
    CHECK(kill(pids[i], stops[i]) == 0);
    if (i == GRANDCHILD)
      break;
    look(pids[i], WSTOPPED);
    while (!changes) /* the kernel sends it a moment after wait() can tell */
      usleep(1000);
  }
  while (shared->parent_told != 1)
    usleep(1000);
  for (int i = 0; i < GRANDCHILD; i++)
    CHECK(i == UNTOLD || waitpid(pids[i], &status, WUNTRACED) == pids[i]);
  for (int i = 0; i < CHILDREN; i++)
    CHECK(kill(pids[i], SIGUSR1) == 0);
  struct shared before;
  memcpy(&before, (void *)shared, sizeof before);
  changes = 0;

  ready();
  wait_for_go();

  CHECK(changes == 0);
  CHECK(memcmp(&before, (void *)shared, sizeof before) == 0);
  for (int i = 0; i < GRANDCHILD; i++) {
    siginfo_t info = look(pids[i], WSTOPPED | WCONTINUED | WEXITED | WNOHANG);
    CHECK(i == UNTOLD ? info.si_code == CLD_STOPPED && info.si_status == stops[i] : info.si_pid == 0);
  }
  for (int i = 0; i < CHILDREN; i++)
    CHECK(kill(pids[i], SIGCONT) == 0);
  for (int i = 0; i < GRANDCHILD; i++) {
    CHECK(waitpid(pids[i], &status, WCONTINUED) == pids[i] && WIFCONTINUED(status));
    while (shared->handled[i] != 1)
      usleep(1000);
  }
  for (int i = 0; i <= CHILDREN; i++)
    if (i != SLEEPER)
      await(&shared->turns[i]);
  while (shared->parent_told != 2)
    usleep(1000);
  CHECK(changes > 0);
  for (int i = 0; i < CHILDREN; i++)
    CHECK(kill(pids[i], SIGKILL) == 0);
  for (int i = 0; i < GRANDCHILD; i++)
    CHECK(waitpid(pids[i], &status, 0) == pids[i] && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  CHECK(waitpid(parent, &status, 0) == parent && status == 0);
  success();
}
