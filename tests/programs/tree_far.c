/* tree_far MIB: has a grandchild with so much memory, whose id it prints. Whatever happens to that is nothing
 * that it hears of. */
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "check.h"

static volatile sig_atomic_t heard;

static void on_child(int signal) {
  heard += signal == SIGCHLD;
}

_Noreturn static void wait_for_ever(void) {
  for (;;)
    pause();
}

static void follow_parent(void) {
  CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
}

_Noreturn static void be_grandchild(size_t size) {
  char words[64];
  uint64_t *memory = malloc(size);
  CHECK(memory);
  for (size_t i = 0; i < size / sizeof *memory; i++)
    memory[i] = i * 0x9e3779b97f4a7c15u;
  snprintf(words, sizeof words, "GRANDCHILD %d\n", (int)getpid());
  say(words);
  ready();
  wait_for_ever();
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    follow_parent();
    pid_t grandchild = fork();
    CHECK(grandchild >= 0);
    if (grandchild > 0)
      wait_for_ever();
    follow_parent();
    be_grandchild((size_t)atol(argv[1]) << 20);
  }
  CHECK(signal(SIGCHLD, on_child) != SIG_ERR);
  wait_for_go();
  CHECK(heard == 0);
  success();
}
