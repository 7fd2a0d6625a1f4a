/* interrupted CALL: four threads wait in read or poll, which a handler of SIGALRM without SA_RESTART ends.
 * However a checkpoint falls together with that signal, it ends one wait: not none, and not those of the
 * other threads. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "check.h"

static int ends[2];
static bool polls;
static int interrupted;
static volatile sig_atomic_t handled;

static void on_alarm(int signal) {
  (void)signal;
  handled++;
}

static void *wait_for_end(void *unused) {
  struct pollfd one = {.fd = ends[0], .events = POLLIN};
  char byte;
  long result;
  while ((result = polls ? poll(&one, 1, -1) : read(ends[0], &byte, 1)) == -1) {
    CHECK(errno == EINTR);
    __atomic_fetch_add(&interrupted, 1, __ATOMIC_ACQ_REL);
    say("INTERRUPTED\n");
  }
  CHECK(result == polls);
  return unused;
}

int main(int argc, char **argv) {
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  struct sigaction action = {.sa_handler = on_alarm};
  sigset_t alarm_only;
  CHECK(argc == 2 && pipe(ends) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
  polls = strcmp(argv[1], "poll") == 0;
  for (int i = 0; i < THREADS; i++)
    CHECK(pthread_create(&threads[i], NULL, wait_for_end, NULL) == 0);
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  CHECK(pthread_sigmask(SIG_BLOCK, &alarm_only, NULL) == 0);
  ready();
  wait_for_go();
  CHECK(close(ends[1]) == 0);
  for (int i = 0; i < THREADS; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(handled == 1 && interrupted == 1);
  success();
}
