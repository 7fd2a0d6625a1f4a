/* fd_closed_stdio REPORT: runs with 0-2 closed; REPORT tells READY, and the outcome after SIGUSR1. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>

#include "check.h"

static volatile sig_atomic_t asked;

static void on_signal(int signal) {
  (void)signal;
  asked = 1;
}

static void report(const char *path, const char *words) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, words, strlen(words)) != (ssize_t)strlen(words) || close(fd) != 0)
    exit(3);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  struct sigaction action = {.sa_handler = on_signal};
  sigset_t mask, open_mask;
  CHECK(sigemptyset(&mask) == 0 && sigaddset(&mask, SIGUSR1) == 0);
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigprocmask(SIG_BLOCK, &mask, &open_mask) == 0);
  CHECK(close(0) == 0 && close(1) == 0 && close(2) == 0);
  /* Whoever started this may have passed on more than 0-2. */
  bool was_open[64];
  for (int fd = 0; fd < 64; fd++)
    was_open[fd] = fcntl(fd, F_GETFD) != -1;
  report(argv[1], "READY\n");
  sigdelset(&open_mask, SIGUSR1);
  if (sigsuspend(&open_mask) != -1 || errno != EINTR || !asked) {
    report(argv[1], "sigsuspend returned without the signal\n");
    return 1;
  }
  for (int fd = 0; fd < 64; fd++)
    if (was_open[fd] != (fcntl(fd, F_GETFD) != -1)) {
      char words[64];
      snprintf(words, sizeof words, "descriptor %d is open that was not, or closed\n", fd);
      report(argv[1], words);
      return 1;
    }
  report(argv[1], "EXIT-SUCCESS\n");
  return 0;
}
