/* Workers that begin processes in every way, as fast as they can: fork, vfork, posix_spawn, threads that
 * fork, exec, exec after exec, exec by another thread than the main one, and children of children. Each child
 * hands in one result and ends with a status of its own; each worker takes every result and every status
 * exactly once. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { WORKERS = 3, IN_FLIGHT = 5, KINDS = 8, WARM = 2 * KINDS };
enum { VFORKED = 6, KILLED = 7 }; /* these hand in nothing */

struct result {
  unsigned long child, value;
};

static struct shared {
  volatile int stop;
  volatile unsigned long done[WORKERS + 1];
} * shared;

extern char **environ;
static const char *self;

static unsigned long value_of(unsigned long child) {
  unsigned long state = child + 1;
  for (int i = 0; i < 100; i++)
    next_number(&state);
  return state;
}

static int status_of(unsigned long child) {
  return (int)(child % 100) + 1;
}

/* Whoever waits for the result waits in vain, and says so by then. */
_Noreturn static void give_up(const char *what, unsigned long child) {
  dprintf(2, "child %lu: %s: %s\n", child, what, strerror(errno));
  _exit(0);
}

_Noreturn static void hand_in(int pipe, unsigned long child) {
  struct result result = {child, value_of(child)};
  ssize_t written;
  do
    written = write(pipe, &result, sizeof result);
  while (written < 0 && errno == EINTR);
  if (written != sizeof result)
    give_up("write", child);
  _exit(status_of(child));
}

/* The arguments of a program that begins `depth` more before it hands in. */
struct words {
  char pipe[16], child[32], depth[16];
  char *all[6];
};

static void put_words(struct words *w, int pipe, unsigned long child, int depth) {
  snprintf(w->pipe, sizeof w->pipe, "%d", pipe);
  snprintf(w->child, sizeof w->child, "%lu", child);
  snprintf(w->depth, sizeof w->depth, "%d", depth);
  char *all[] = {(char *)self, "child", w->pipe, w->child, w->depth, NULL};
  memcpy(w->all, all, sizeof all);
}

static void *begin_program(void *words) {
  execve(self, ((struct words *)words)->all, environ);
  give_up("execve", strtoul(((struct words *)words)->child, NULL, 10));
}

/* In a thread, while the main one is somewhere else. */
_Noreturn static void begin_program_in_thread(struct words *words) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, begin_program, words) != 0)
    give_up("pthread_create", strtoul(words->child, NULL, 10));
  for (volatile unsigned long turns = 0;;)
    turns++;
}

_Noreturn static void be_child(char **arguments) {
  int pipe = atoi(arguments[0]), depth = atoi(arguments[2]);
  unsigned long child = strtoul(arguments[1], NULL, 10);
  struct words words;
  if (depth == 0)
    hand_in(pipe, child);
  put_words(&words, pipe, child, depth - 1);
  if (depth % 2)
    begin_program_in_thread(&words);
  begin_program(&words);
  _exit(0); /* not reached */
}

/* Is itself the one that hands in the result, after a child of its own. */
_Noreturn static void have_child(int pipe, unsigned long child) {
  int status;
  pid_t pid = fork();
  if (pid == 0)
    _exit(7);
  if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
    give_up("its child", child);
  hand_in(pipe, child);
}

static pid_t begin(int kind, int pipe, unsigned long child) {
  struct words words;
  pid_t pid = -1;
  put_words(&words, pipe, child, kind == 4 ? 2 : 0);
  switch (kind) {
  case 0:
    if ((pid = fork()) == 0)
      hand_in(pipe, child);
    return pid;
  case 1:
    if ((pid = vfork()) == 0) {
      execve(self, words.all, environ);
      give_up("execve", child);
    }
    return pid;
  case 2:
    return posix_spawn(&pid, self, NULL, NULL, words.all, environ) == 0 ? pid : -1;
  case 3:
    if ((pid = fork()) == 0)
      begin_program_in_thread(&words);
    return pid;
  case 4:
    if ((pid = fork()) == 0)
      begin_program(&words);
    return pid;
  case 5:
    if ((pid = fork()) == 0)
      have_child(pipe, child);
    return pid;
  case VFORKED:
    if ((pid = vfork()) == 0)
      _exit(status_of(child));
    return pid;
  default:
    if ((pid = fork()) == 0)
      for (;;)
        pause();
    return pid;
  }
}

struct flight {
  pid_t pid;
  unsigned long child;
  int kind;
  int handed_in;
};

static void take_result(int from, struct flight *flights) {
  struct result result;
  ssize_t got;
  do
    got = read(from, &result, sizeof result);
  while (got < 0 && errno == EINTR);
  CHECK(got == sizeof result && result.value == value_of(result.child));
  for (int i = 0; i < IN_FLIGHT; i++)
    if (flights[i].pid && flights[i].child == result.child) {
      CHECK(!flights[i].handed_in);
      flights[i].handed_in = 1;
      return;
    }
  FAIL("nobody waits for the result of %lu", result.child);
}

/* Whatever it waits for comes through the process's own pipe. */
static void land(int from, struct flight *flights, struct flight *flight) {
  int status;
  pid_t pid;
  while (flight->kind < VFORKED && !flight->handed_in)
    take_result(from, flights);
  if (flight->kind == KILLED)
    CHECK(kill(flight->pid, SIGKILL) == 0);
  do
    pid = waitpid(flight->pid, &status, 0);
  while (pid < 0 && errno == EINTR);
  if (pid < 0)
    FAIL("child %lu of kind %d, %d: %s", flight->child, flight->kind, flight->pid, strerror(errno));
  if (status != (flight->kind == KILLED ? SIGKILL : status_of(flight->child) << 8))
    FAIL("child %lu of kind %d ended with %#x", flight->child, flight->kind, status);
  flight->pid = 0;
}

static void *work(void *number) {
  struct flight flights[IN_FLIGHT] = {0};
  volatile unsigned long *done = &shared->done[(long)number];
  unsigned long child = (unsigned long)(long)number << 32, last = child;
  int ends[2];
  CHECK(pipe(ends) == 0);
  for (; !shared->stop; child++) {
    struct flight *flight = &flights[child % IN_FLIGHT];
    if (flight->pid) {
      land(ends[0], flights, flight);
      ++*done;
      last++;
    }
    *flight = (struct flight){.child = child, .kind = (int)(child % KINDS)};
    flight->pid = begin(flight->kind, ends[1], child);
    if (flight->pid < 0)
      FAIL("child %lu of kind %d: %s", child, flight->kind, strerror(errno));
  }
  for (; last < child; last++)
    land(ends[0], flights, &flights[last % IN_FLIGHT]);
  /* No result is left over. */
  char byte;
  CHECK(close(ends[1]) == 0 && read(ends[0], &byte, 1) == 0 && close(ends[0]) == 0);
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t thread;
  pid_t pids[WORKERS];
  int status;
  self = argv[0];
  alarm(300);
  if (argc == 5)
    be_child(argv + 2);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  for (long i = 0; i < WORKERS; i++) {
    pids[i] = fork();
    CHECK(pids[i] >= 0);
    if (pids[i] == 0) {
      work((void *)(i + 1));
      _exit(0);
    }
  }
  CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
  for (int i = 0; i <= WORKERS; i++)
    while (shared->done[i] < WARM)
      usleep(1000);

  ready();
  wait_for_go();

  struct shared before;
  memcpy(&before, (void *)shared, sizeof before);
  for (int i = 0; i <= WORKERS; i++)
    while (shared->done[i] < before.done[i] + WARM)
      usleep(1000);
  shared->stop = 1;
  CHECK(pthread_join(thread, NULL) == 0);
  for (int i = 0; i < WORKERS; i++)
    CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
  success();
}
