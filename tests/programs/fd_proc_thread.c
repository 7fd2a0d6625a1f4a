/* A file of the main thread's in /proc, of a program in which another thread takes the signal that asks for a
 * checkpoint. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "check.h"

static void *sleep_on(void *unused) {
  for (;;)
    pause();
  return unused;
}

int main(void) {
  char text[4096], told[64];
  pthread_t thread;
  sigset_t set;
  int task = open("/proc/thread-self/stat", O_RDONLY);
  CHECK(task >= 0 && pthread_create(&thread, NULL, sleep_on, NULL) == 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);

  ready();
  wait_for_go();

  int length = snprintf(told, sizeof told, "%d (fd_proc_thread) ", getpid());
  CHECK(read(task, text, sizeof text) > length && memcmp(text, told, (size_t)length) == 0);
  success();
}
