/* main_ended HOW: the main thread ends before the others, by pthread_exit or by a bare exit(3) of the thread
 * alone; a second one answers, and a third computes all the while. Signals wait for the process. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static pthread_t main_thread, computer;
static bool stop, bare;
static unsigned long rounds, sum;
static __thread unsigned long mine;

/* As a zombie, with the status that it gave. */
static bool main_has_ended(void) {
  char path[64], stat[1024];
  int status = -1;
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
  FILE *file = fopen(path, "r");
  CHECK(file && fgets(stat, sizeof stat, file));
  fclose(file);
  if (strrchr(stat, ')')[2] != 'Z')
    return false;
  CHECK(sscanf(strrchr(stat, ' '), "%d", &status) == 1 && status == (bare ? 3 << 8 : 0));
  return true;
}

static void *compute(void *unused) {
  unsigned long state = 4711;
  while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
    sum += next_number(&state);
    rounds++;
    mine++;
  }
  CHECK(mine == rounds);
  return unused;
}

static void *answer(void *unused) {
  sigset_t set;
  siginfo_t info;
  void *result;
  if (!bare)
    CHECK(pthread_join(main_thread, &result) == 0 && result == (void *)7);
  while (!main_has_ended())
    sched_yield();
  CHECK(kill(getpid(), SIGUSR1) == 0);
  CHECK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 4712}) == 0);
  ready();
  wait_for_go();
  while (!main_has_ended())
    sched_yield();
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_USER && info.si_pid == getpid());
  sigaddset(&set, SIGRTMIN + 3);
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 3 && info.si_value.sival_int == 4712);
  CHECK(getpid() != (pid_t)syscall(SYS_gettid));
  __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
  CHECK(pthread_join(computer, NULL) == 0);
  unsigned long state = 4711, again = 0;
  for (unsigned long i = 0; i < rounds; i++)
    again += next_number(&state);
  CHECK(again == sum);
  say("EXIT-SUCCESS\n");
  /* The process ends with the status of its main thread on older kernels, of its last one on newer. */
  for (;;)
    syscall(SYS_exit, bare ? 3 : 0);
  return unused;
}

int main(int argc, char **argv) {
  pthread_t answerer;
  sigset_t set;
  bare = argc > 1 && strcmp(argv[1], "bare") == 0;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 3);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  main_thread = pthread_self();
  CHECK(pthread_create(&computer, NULL, compute, NULL) == 0);
  CHECK(pthread_create(&answerer, NULL, answer, NULL) == 0);
  if (bare)
    syscall(SYS_exit, 3);
  pthread_exit((void *)7);
}
