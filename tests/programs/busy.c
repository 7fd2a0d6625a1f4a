/* busy KIND: does one thing again and again that a checkpoint might fall into the middle of, until the line
 * "go": fork, spawn, dlopen, threads, timer (a signal 1,000 times a second), or all. Nothing may fail,
 * nothing be lost. */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

extern char **environ;
static bool stop;
static long rounds;
static volatile sig_atomic_t ticks;

static void do_fork(void) {
  int status;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0)
    _exit(42);
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void do_spawn(void) {
  char *const argv[] = {(char[]){"true"}, NULL};
  int status;
  pid_t child;
  CHECK(posix_spawnp(&child, "true", NULL, NULL, argv, environ) == 0);
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void do_dlopen(void) {
  void *library = dlopen("libz.so.1", RTLD_NOW);
  if (!library)
    library = dlopen("libresolv.so.2", RTLD_NOW);
  CHECK(library && dlclose(library) == 0);
}

static void *add(void *number) {
  *(long *)number += 1;
  return number;
}

static void do_threads(void) {
  enum { AT_ONCE = 4 };
  pthread_t threads[AT_ONCE];
  long numbers[AT_ONCE] = {0};
  for (int i = 0; i < AT_ONCE; i++)
    CHECK(pthread_create(&threads[i], NULL, add, &numbers[i]) == 0);
  for (int i = 0; i < AT_ONCE; i++) {
    void *result;
    CHECK(pthread_join(threads[i], &result) == 0 && result == &numbers[i] && numbers[i] == 1);
  }
}

static void on_tick(int signal) {
  (void)signal;
  ticks++;
}

/* Each is waited for: one that is lost is a hang. */
static void do_timer(void) {
  sigset_t tick, before;
  sigemptyset(&tick);
  sigaddset(&tick, SIGRTMIN + 1);
  CHECK(pthread_sigmask(SIG_BLOCK, &tick, &before) == 0);
  sig_atomic_t seen = ticks;
  while (ticks == seen)
    CHECK(sigsuspend(&before) == -1 && errno == EINTR);
  CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void start_timer(void) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
  struct itimerspec often = {.it_interval = {.tv_nsec = 1000000}, .it_value = {.tv_nsec = 1000000}};
  timer_t timer;
  CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0);
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &often, NULL) == 0);
}

static const struct {
  const char *name;
  void (*prepare)(void);
  void (*once)(void);
} kinds[] = {
    {"fork", NULL, do_fork},       {"spawn", NULL, do_spawn},        {"dlopen", NULL, do_dlopen},
    {"threads", NULL, do_threads}, {"timer", start_timer, do_timer},
};

static void *wait_for_end(void *unused) {
  sigset_t all;
  sigfillset(&all);
  CHECK(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
  wait_for_go();
  __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
  return unused;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  pthread_t reader;
  CHECK(pthread_create(&reader, NULL, wait_for_end, NULL) == 0);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (strcmp(kinds[i].name, argv[1]) == 0) {
      if (kinds[i].prepare)
        kinds[i].prepare();
      ready();
      for (; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); rounds++)
        kinds[i].once();
      CHECK(pthread_join(reader, NULL) == 0 && rounds > 0);
      success();
    }
  FAIL("no such kind: %s", argv[1]);
}
