/* self_exec [thread] FILE: starts itself anew by exec until there is such a file, and hands on what it has
 * computed so far; "thread": by another thread than the main one. */
#include <pthread.h>

#include "check.h"

static unsigned long state_after(unsigned long turns) {
  unsigned long numbers = 4711;
  for (unsigned long i = 0; i < turns; i++)
    next_number(&numbers);
  return numbers;
}

/* What exec copies before it ends the other threads: it takes its time. */
static void grow_environment(void) {
  enum { VARIABLES = 10, SIZE = 100 << 10 };
  static char value[SIZE];
  char name[16];
  memset(value, 'x', SIZE - 1);
  for (int i = 0; i < VARIABLES; i++) {
    snprintf(name, sizeof name, "GROWN%d", i);
    CHECK(setenv(name, value, 1) == 0);
  }
}

static void *begin(void *arguments) {
  execv("/proc/self/exe", arguments);
  FAIL("exec: %s", strerror(errno));
}

int main(int argc, char **argv) {
  char next_turn[32], next_state[32];
  char *next[6] = {argv[0]}, **end = next + 1;
  pthread_t thread;
  int threaded = argc > 1 && strcmp(argv[1], "thread") == 0;
  if (threaded) {
    *end++ = argv[1];
    argv++;
    argc--;
  }
  CHECK(argc == 2 || argc == 4);
  unsigned long turn = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
  unsigned long state = argc == 4 ? strtoul(argv[3], NULL, 10) : 4711;
  CHECK(state == state_after(turn));
  if (access(argv[1], F_OK) == 0) {
    ready();
    wait_for_go();
    success();
  }
  next_number(&state);
  snprintf(next_turn, sizeof next_turn, "%lu", turn + 1);
  snprintf(next_state, sizeof next_state, "%lu", state);
  *end++ = argv[1];
  *end++ = next_turn;
  *end++ = next_state;
  if (!threaded)
    begin(next);
  grow_environment();
  CHECK(pthread_create(&thread, NULL, begin, next) == 0);
  for (;;)
    pause();
}
