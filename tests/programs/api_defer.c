/* api_defer: checkpoints wait while they are deferred. With "race" a thread defers them again and again, and
 * is never brought back between that and its ckpt_allow(). */
#include <pthread.h>
#include <stdbool.h>

#include "../../native/include/ckpt.h"
#include "check.h"

static bool stop;

static void *defer_often(void *argument) {
  while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
    ckpt_defer();
    unsigned restarts = ckpt_restarts();
    for (int i = 0; i < 3; i++)
      sched_yield();
    CHECK(ckpt_restarts() == restarts);
    CHECK(ckpt_allow() == 0);
  }
  return argument;
}

int main(int argc, char **argv) {
  char line[64];
  pthread_t thread;
  CHECK(ckpt_enabled && ckpt_enabled() == 1 && ckpt_restarts() == 0);
  CHECK(ckpt_allow() == -EINVAL);
  if (argc > 1 && strcmp(argv[1], "race") == 0) {
    CHECK(pthread_create(&thread, NULL, defer_often, NULL) == 0);
    ready();
    wait_for_go();
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    CHECK(pthread_join(thread, NULL) == 0);
    success();
  }
  ckpt_defer();
  ckpt_defer();
  CHECK(ckpt_checkpoint() == -EAGAIN);
  ready();
  read_line(line, sizeof line);
  CHECK(ckpt_allow() == 0);
  say("still deferred\n");
  read_line(line, sizeof line);
  CHECK(ckpt_allow() == 0);
  CHECK(ckpt_allow() == -EINVAL);
  say(ckpt_restarts() ? "restarted\n" : "allowed\n");
  wait_for_go();
  success();
}
