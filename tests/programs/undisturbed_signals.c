/* Waits for signals. See undisturbed.h. */
#include "undisturbed.h"

static volatile sig_atomic_t handled;

static void on_signal(int signal) {
  (void)signal;
  handled = 1;
}

static void prepare_handler(void) {
  struct sigaction action = {.sa_handler = on_signal};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void block_signal(int how, int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

static void block_sigwait(void) {
  sigset_t set;
  int signal;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  block_signal(SIG_BLOCK, SIGUSR1);
  CHECK(sigwait(&set, &signal) == 0 && signal == SIGUSR1);
}

static void block_sigtimedwait(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 5);
  block_signal(SIG_BLOCK, SIGRTMIN + 5);
  CHECK(sigtimedwait(&set, NULL, &whole) == -1 && errno == EAGAIN);
  errno = UNTOUCHED;
}

static void block_sigsuspend(void) {
  sigset_t none;
  sigemptyset(&none);
  block_signal(SIG_BLOCK, SIGUSR1);
  CHECK(sigsuspend(&none) == -1 && errno == EINTR && handled);
  errno = UNTOUCHED;
}

static void block_pause(void) {
  CHECK(pause() == -1 && errno == EINTR && handled);
  errno = UNTOUCHED;
}

static struct row rows[] = {
    {.name = "sigwait", .prepare = prepare_handler, .block = block_sigwait, .wake = send_signal},
    {.name = "sigtimedwait", .kind = TIMED_AGAIN, .block = block_sigtimedwait},
    {.name = "sigsuspend", .prepare = prepare_handler, .block = block_sigsuspend, .wake = send_signal},
    {.name = "pause", .prepare = prepare_handler, .block = block_pause, .wake = send_signal},
};

MAIN
