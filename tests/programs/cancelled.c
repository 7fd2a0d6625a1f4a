/* cancelled: a thread in a call that musl's pthread_cancel has just ended. Its handler has run, the signal is
 * blocked for the thread and waits for it, and the call is to end, whatever else comes at that moment. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "check.h"

enum { CANCEL = 33 };

/* As the handler leaves it. */
static void leave_blocked(void) {
  unsigned long set = 1ul << (CANCEL - 1);
  CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, sizeof set) == 0);
  CHECK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), CANCEL) == 0);
}

static void *wait_in_call(void *unused) {
  leave_blocked();
  CHECK(pause() == -1 && errno == EINTR);
  say("ended\n");
  return unused;
}

int main(void) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, wait_in_call, NULL) == 0);
  ready();
  wait_for_go();
  CHECK(pthread_join(thread, NULL) == 0);
  success();
}
