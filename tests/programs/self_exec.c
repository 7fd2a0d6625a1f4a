/* self_exec FILE main|thread: starts itself anew by exec, from its main thread or from a second one, until
 * there is such a file, and hands on what it has computed so far. */
#include <pthread.h>

#include "check.h"

static unsigned long turn, state;
static char **arguments;

static unsigned long state_after(unsigned long turns) {
  unsigned long numbers = 4711;
  for (unsigned long i = 0; i < turns; i++)
    next_number(&numbers);
  return numbers;
}

static void *start_anew(void *unused) {
  char next_turn[32], next_state[32];
  next_number(&state);
  snprintf(next_turn, sizeof next_turn, "%lu", turn + 1);
  snprintf(next_state, sizeof next_state, "%lu", state);
  char *next[] = {arguments[0], arguments[1], arguments[2], next_turn, next_state, NULL};
  execv("/proc/self/exe", next);
  FAIL("exec: %s", strerror(errno));
  return unused;
}

int main(int argc, char **argv) {
  pthread_t thread;
  CHECK(argc == 3 || argc == 5);
  arguments = argv;
  turn = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
  state = argc == 5 ? strtoul(argv[4], NULL, 10) : 4711;
  CHECK(state == state_after(turn));
  if (access(argv[1], F_OK) == 0) {
    ready();
    wait_for_go();
    success();
  }
  if (strcmp(argv[2], "thread") == 0) {
    CHECK(pthread_create(&thread, NULL, start_anew, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
  start_anew(NULL);
}
