/* interrupted CALL: four threads wait in read or poll, which a handler of SIGALRM without SA_RESTART ends.
 * However a checkpoint falls together with that signal, it ends one wait: not none, and not those of the
 * other threads. With "late" a fifth thread holds up the checkpoint until SIGUSR1. */
#include <poll.h>
#include <pthread.h>

#include "late.h"

static int ends[2];
static bool polls;
static int interrupted;
static volatile sig_atomic_t handled;
static volatile bool blocked;

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

static void *answer_late(void *unused) {
  be_late(&blocked);
  return unused;
}

static void block(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

int main(int argc, char **argv) {
  enum { THREADS = 4 };
  pthread_t threads[THREADS], late;
  struct sigaction action = {.sa_handler = on_alarm};
  CHECK(argc >= 2 && pipe(ends) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
  polls = strcmp(argv[1], "poll") == 0;
  bool with_late = argc == 3 && strcmp(argv[2], "late") == 0;
  block(SIGUSR1);
  for (int i = 0; i < THREADS; i++)
    CHECK(pthread_create(&threads[i], NULL, wait_for_end, NULL) == 0);
  block(SIGALRM);
  if (with_late)
    CHECK(pthread_create(&late, NULL, answer_late, NULL) == 0);
  while (with_late && !blocked)
    usleep(1000);
  ready();
  wait_for_go();
  CHECK(close(ends[1]) == 0);
  for (int i = 0; i < THREADS; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  if (with_late)
    CHECK(pthread_join(late, NULL) == 0);
  CHECK(handled == 1 && interrupted == 1);
  success();
}
