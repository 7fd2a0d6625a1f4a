/* A program that was started with sockets of its parent's as standard input and output, and as descriptor 7:
 * they are the job's, with what waits in them. */
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

static void child(void) {
  char text[16] = "";
  alarm(300); /* should the parent be gone without a word */
  CHECK(write(1, "up", 2) == 2);
  CHECK(read(0, text, sizeof text) == 1 && text[0] == 'w' && read(0, text, sizeof text) == 6);
  CHECK(write(1, "first", 5) == 5 && write(7, "second", 6) == 6);
  CHECK(read(0, text, 1) == 0 && read(7, text, sizeof text) == 3 && memcmp(text, "end", 3) == 0);
  exit(3);
}

int main(int argc, char **argv) {
  int in[2], out[2], other[2], status;
  char text[16] = "";
  if (argc == 2)
    child();
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, in) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, out) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, other) == 0 && in[0] == 3 && out[0] == 5 && other[0] == 7);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(dup2(in[1], 0) == 0 && dup2(out[1], 1) == 1 && dup2(other[1], 7) == 7);
    close(3), close(4), close(5), close(6), close(8);
    execl("/proc/self/exe", argv[0], "child", NULL);
    FAIL("exec: %s", strerror(errno));
  }
  close(in[1]), close(out[1]), close(other[1]);
  CHECK(read(out[0], text, 2) == 2 && write(in[0], "w", 1) == 1);

  ready();
  wait_for_go();

  CHECK(write(in[0], "aiting", 6) == 6);
  CHECK(recv(out[0], text, 5, MSG_WAITALL) == 5 && memcmp(text, "first", 5) == 0);
  CHECK(read(other[0], text, sizeof text) == 6 && memcmp(text, "second", 6) == 0);
  CHECK(shutdown(in[0], SHUT_WR) == 0 && write(other[0], "end", 3) == 3);
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  success();
}
