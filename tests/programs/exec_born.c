/* In the middle of the checkpoint that it is asked for, when libckpt is connected to who has asked, another
 * thread has a child and then calls exec. The child, which never does, has a copy of the connection. */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "../../native/include/ckpt.h"
#include "check.h"

static pid_t self;
static volatile int asked;

static void hold_up(void *unused) {
  (void)unused;
  asked = 1;
  while (getpid() == self)
    pause();
}

static void *begin_anew(void *path) {
  while (!asked)
    usleep(1000);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    for (;;)
      pause();
  }
  execl(path, path, "again", (char *)NULL);
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t thread;
  self = getpid();
  if (argc == 1) {
    CHECK(ckpt_hook(hold_up, NULL, NULL, NULL) > 0);
    CHECK(pthread_create(&thread, NULL, begin_anew, argv[0]) == 0);
    ready();
  }
  wait_for_go();
  success();
}
