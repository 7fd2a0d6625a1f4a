/* Children that were stopped and go on, of which their parents have not heard by wait() yet: they hear it
 * afterwards, once, and neither SIGCONT nor SIGCHLD comes once more. None relies on ids from before: a
 * restart may give others. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

/* The first is heard of by all that there is to hear, the second by its stop; PENDING blocks SIGCONT; PARENT
 * is stopped, and has a child of its own. */
enum { HEARD, HALF, UNHEARD, PENDING, THREADED, SESSION, PARENT, GRANDCHILD, PROCESSES };

static struct shared {
  volatile unsigned long turns[PROCESSES + 1];
  volatile pid_t pids[PROCESSES];
  volatile int handled[PROCESSES];
  volatile bool pending[PROCESSES];
  volatile bool unblock, parent_found;
} * shared;
static int self;
static volatile int changes;

static void on_cont(int signal) {
  shared->handled[self] += signal == SIGCONT;
}

static void on_child(int signal) {
  changes += signal == SIGCHLD;
}

static bool is_pending(int signal) {
  sigset_t set;
  CHECK(sigpending(&set) == 0);
  return sigismember(&set, signal);
}

static void change_mask(int how, int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  CHECK(sigprocmask(how, &set, NULL) == 0);
}

static void *turn(void *counter) {
  volatile unsigned long *turns = counter;
  while (usleep(1000) == 0 || errno == EINTR)
    ++*turns;
  return NULL;
}

_Noreturn static void live(int number) {
  pthread_t thread;
  self = number;
  if (number == PENDING)
    change_mask(SIG_BLOCK, SIGCONT);
  if (number == THREADED)
    CHECK(pthread_create(&thread, NULL, turn, (void *)&shared->turns[PROCESSES]) == 0);
  if (number == SESSION)
    CHECK(setsid() > 0);
  for (;;) {
    shared->pids[number] = getpid();
    shared->pending[number] = is_pending(SIGCONT);
    if (shared->unblock && number == PENDING)
      change_mask(SIG_UNBLOCK, SIGCONT);
    ++shared->turns[number];
    usleep(1000);
  }
}

/* Whatever it is about to do by now, it does once more. */
static void await_turns(int number) {
  for (unsigned long end = shared->turns[number] + 2; shared->turns[number] < end;)
    usleep(1000);
}

static void start(int number, void (*run)(int)) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid > 0)
    return;
  signal(SIGCHLD, SIG_DFL);
  CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  run(number);
}

static siginfo_t look(int number, int flags) {
  siginfo_t info = {0};
  CHECK(waitid(P_PID, (id_t)shared->pids[number], &info, flags) == 0);
  return info;
}

/* Until its handler for SIGCONT has run, or the signal waits: by then all of it has happened. */
static void stop_and_continue(int number, bool hear_stop) {
  CHECK(kill(shared->pids[number], SIGSTOP) == 0);
  CHECK(look(number, WSTOPPED | (hear_stop ? 0 : WNOWAIT)).si_code == CLD_STOPPED);
  CHECK(kill(shared->pids[number], SIGCONT) == 0);
  while (!shared->handled[number] && !shared->pending[number])
    usleep(1000);
  await_turns(number);
}

static void hear(int number) {
  CHECK(look(number, WSTOPPED | WCONTINUED | WEXITED | WNOHANG | WNOWAIT).si_code == CLD_CONTINUED);
  siginfo_t info = look(number, WCONTINUED | WNOHANG);
  CHECK(info.si_pid == shared->pids[number] && info.si_code == CLD_CONTINUED && info.si_status == SIGCONT);
}

static void hear_nothing(int number) {
  CHECK(look(number, WSTOPPED | WCONTINUED | WEXITED | WNOHANG | WNOWAIT).si_pid == 0);
}

/* The SIGCHLD that waits for it is of the stop: the later one is the same signal. */
static void be_parent(int number) {
  const struct timespec none = {0, 0};
  sigset_t set;
  siginfo_t info;
  change_mask(SIG_BLOCK, SIGCHLD);
  start(GRANDCHILD, live);
  while (!shared->turns[GRANDCHILD])
    usleep(1000);
  pid_t before = shared->pids[GRANDCHILD];
  stop_and_continue(GRANDCHILD, false);
  shared->pids[number] = getpid();
  CHECK(kill(getpid(), SIGSTOP) == 0);
  await_turns(GRANDCHILD);
  hear(GRANDCHILD);
  hear_nothing(GRANDCHILD);
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  CHECK(sigtimedwait(&set, &info, &none) == SIGCHLD);
  CHECK(info.si_code == CLD_STOPPED && info.si_pid == before);
  CHECK(!is_pending(SIGCHLD));
  CHECK(shared->handled[GRANDCHILD] == 1);
  shared->parent_found = true;
  CHECK(kill(shared->pids[GRANDCHILD], SIGKILL) == 0);
  CHECK(look(GRANDCHILD, WEXITED).si_code == CLD_KILLED);
  _exit(0);
}

static void check_children(const struct shared *before) {
  CHECK(changes == 0);
  for (int i = HEARD; i <= SESSION; i++)
    await_turns(i);
  for (int i = HEARD; i <= SESSION; i++) {
    CHECK(shared->handled[i] == before->handled[i]);
    CHECK(shared->pending[i] == (i == PENDING));
    if (i != HEARD)
      hear(i);
    hear_nothing(i);
  }
  CHECK(changes == 0);
  shared->unblock = true;
  while (shared->handled[PENDING] != 1)
    usleep(1000);
  await_turns(PENDING);
  CHECK(shared->handled[PENDING] == 1 && !shared->pending[PENDING]);
}

/* It is the only one that is stopped. */
static void check_parent(void) {
  siginfo_t info = {0};
  CHECK(waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) == 0);
  CHECK(info.si_pid && info.si_code == CLD_STOPPED && !shared->parent_found);
  shared->pids[PARENT] = info.si_pid;
  CHECK(kill(info.si_pid, SIGCONT) == 0);
  info = look(PARENT, WEXITED);
  CHECK(info.si_code == CLD_EXITED && info.si_status == 0 && shared->parent_found);
}

int main(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  signal(SIGCONT, on_cont);
  signal(SIGCHLD, on_child);
  for (int i = HEARD; i <= SESSION; i++) {
    start(i, live);
    while (!shared->turns[i])
      usleep(1000);
    stop_and_continue(i, i == HEARD || i == HALF);
  }
  CHECK(look(HEARD, WCONTINUED).si_code == CLD_CONTINUED);
  start(PARENT, be_parent);
  while (!shared->pids[PARENT])
    usleep(1000);
  CHECK(look(PARENT, WSTOPPED | WNOWAIT).si_code == CLD_STOPPED);
  struct shared before = *shared;
  changes = 0;

  ready();
  wait_for_go();

  check_children(&before);
  check_parent();
  for (int i = HEARD; i <= SESSION; i++) {
    CHECK(kill(shared->pids[i], SIGKILL) == 0);
    CHECK(look(i, WEXITED).si_code == CLD_KILLED);
  }
  success();
}
