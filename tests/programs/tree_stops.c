/* A process that another one of the program stops and continues, as fast as their parent hears of the stops:
 * it hears of each exactly once, whenever the program is saved. */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { ROUNDS_AFTER = 200 };

/* Stops that the parent has heard of, and turns of the one that is stopped. */
static volatile unsigned long *rounds, *turns;

static pid_t start(void (*run)(pid_t), pid_t of) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    alarm(300); /* should the others be gone without a word */
    run(of);
  }
  return pid;
}

static void turn(pid_t nobody) {
  for (*turns = (unsigned long)nobody;;)
    ++*turns;
}

static void stop_and_continue(pid_t worker) {
  for (unsigned long stops = 1;; stops++) {
    CHECK(kill(worker, SIGSTOP) == 0);
    while (*rounds < stops)
      sched_yield();
    CHECK(*rounds == stops);
    unsigned long before = *turns;
    CHECK(kill(worker, SIGCONT) == 0);
    while (*turns == before)
      sched_yield();
  }
}

static void hear(pid_t worker) {
  int status;
  CHECK(waitpid(worker, &status, WUNTRACED) == worker);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  ++*rounds;
}

static bool asked(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 0) == 1;
}

int main(void) {
  rounds = mmap(NULL, 2 * sizeof *rounds, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(rounds != MAP_FAILED);
  turns = rounds + 1;
  pid_t worker = start(turn, 0);
  pid_t other = start(stop_and_continue, worker);
  ready();
  while (!asked())
    hear(worker);
  wait_for_go();
  for (unsigned long end = *rounds + ROUNDS_AFTER; *rounds < end;)
    hear(worker);
  CHECK(kill(other, SIGKILL) == 0 && waitpid(other, NULL, 0) == other);
  CHECK(kill(worker, SIGKILL) == 0 && waitpid(worker, NULL, 0) == worker);
  success();
}
