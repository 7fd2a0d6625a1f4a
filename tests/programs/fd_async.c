/* Descriptors that send signals: a pipe to the process, with a signal of its own and the descriptor's number,
 * and sockets with something in them to the main thread and to another. Nothing is sent unless something
 * arrives. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "check.h"

static volatile int times, number;
static volatile pid_t taker, other;

static void handle(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  times++;
  number = info->si_fd;
  taker = gettid();
}

static void signal_about(int fd, int type, pid_t who, int signal) {
  struct f_owner_ex owner = {.type = type, .pid = who};
  CHECK(fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_SETSIG, signal) == 0);
  CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK) == 0);
}

/* Until the end of the program. */
static void *take_signals(void *told) {
  other = gettid();
  CHECK(write(*(int *)told, "x", 1) == 1);
  for (;;)
    pause();
  return NULL;
}

int main(void) {
  int pipes[2], sockets[2], others[2], told[2];
  pthread_t thread;
  char text[8];
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0 && sigaction(SIGRTMIN + 2, &action, NULL) == 0);
  CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  CHECK(write(sockets[1], "early", 5) == 5 && write(pipes[1], "early", 5) == 5);
  CHECK(pipe(told) == 0 && pthread_create(&thread, NULL, take_signals, &told[1]) == 0);
  CHECK(read(told[0], text, 1) == 1 && socketpair(AF_UNIX, SOCK_STREAM, 0, others) == 0);
  signal_about(pipes[0], F_OWNER_PID, getpid(), SIGRTMIN + 1);
  signal_about(sockets[0], F_OWNER_TID, getpid(), SIGRTMIN + 2);
  signal_about(others[0], F_OWNER_TID, other, SIGRTMIN + 2);
  CHECK(dup2(pipes[0], 50) == 50);

  ready();
  wait_for_go();

  struct f_owner_ex owner;
  CHECK(times == 0 && fcntl(pipes[0], F_GETSIG) == SIGRTMIN + 1 && fcntl(50, F_GETFL) & O_ASYNC);
  CHECK(fcntl(sockets[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_TID && owner.pid == getpid());
  CHECK(fcntl(50, F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_PID && owner.pid == getpid());
  CHECK(write(pipes[1], "x", 1) == 1 && times == 1 && number == pipes[0]);
  CHECK(write(sockets[1], "y", 1) == 1 && times == 2 && number == sockets[0]);
  CHECK(fcntl(others[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_TID && owner.pid == other);
  CHECK(write(others[1], "z", 1) == 1);
  while (times < 3)
    usleep(1000);
  CHECK(times == 3 && number == others[0] && taker == other);
  CHECK(read(pipes[0], text, 8) == 6 && memcmp(text, "earlyx", 6) == 0);
  CHECK(read(sockets[0], text, 8) == 6 && memcmp(text, "earlyy", 6) == 0);
  success();
}
