/* Descriptors that send signals: a pipe to the process, with a signal of its own and the descriptor's number,
 * and a socket with something in it to the main thread. Nothing is sent unless something arrives. */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "check.h"

static volatile int times, number;

static void handle(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  times++;
  number = info->si_fd;
}

static void signal_about(int fd, int type, int signal) {
  struct f_owner_ex owner = {.type = type, .pid = getpid()};
  CHECK(fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_SETSIG, signal) == 0);
  CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK) == 0);
}

int main(void) {
  int pipes[2], sockets[2];
  char text[8];
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0 && sigaction(SIGRTMIN + 2, &action, NULL) == 0);
  CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  CHECK(write(sockets[1], "early", 5) == 5 && write(pipes[1], "early", 5) == 5);
  signal_about(pipes[0], F_OWNER_PID, SIGRTMIN + 1);
  signal_about(sockets[0], F_OWNER_TID, SIGRTMIN + 2);
  CHECK(dup2(pipes[0], 50) == 50);

  ready();
  wait_for_go();

  struct f_owner_ex owner;
  CHECK(times == 0 && fcntl(pipes[0], F_GETSIG) == SIGRTMIN + 1 && fcntl(50, F_GETFL) & O_ASYNC);
  CHECK(fcntl(sockets[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_TID && owner.pid == getpid());
  CHECK(fcntl(50, F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_PID && owner.pid == getpid());
  CHECK(write(pipes[1], "x", 1) == 1 && times == 1 && number == pipes[0]);
  CHECK(write(sockets[1], "y", 1) == 1 && times == 2 && number == sockets[0]);
  CHECK(read(pipes[0], text, 8) == 6 && memcmp(text, "earlyx", 6) == 0);
  CHECK(read(sockets[0], text, 8) == 6 && memcmp(text, "earlyy", 6) == 0);
  success();
}
