/* first_output COMMAND...: runs the command with the line "go" on its standard input, and prints how many
 * nanoseconds passed from before fork to the first byte of its output. The command is then ended by the end
 * of its input. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  fprintf(stderr, "first_output: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long now(void) {
  struct timespec time;
  if (clock_gettime(CLOCK_MONOTONIC, &time))
    die("clock_gettime");
  return time.tv_sec * 1000000000 + time.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: first_output COMMAND...\n");
    return 2;
  }
  int in[2], out[2];
  if (pipe(in) || pipe(out) || write(in[1], "go\n", 3) != 3)
    die("pipe");
  long start = now();
  pid_t child = vfork();
  if (child < 0)
    die("vfork");
  if (child == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    for (int i = 0; i < 2; i++) {
      close(in[i]);
      close(out[i]);
    }
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  char byte;
  ssize_t got;
  do
    got = read(out[0], &byte, 1);
  while (got < 0 && errno == EINTR);
  long took = now() - start;
  close(in[1]);
  char rest[4096];
  while (got > 0 && (got = read(out[0], rest, sizeof rest)) > 0) {
  }
  int status;
  if (waitpid(child, &status, 0) != child)
    die("waitpid");
  if (status != 0) {
    fprintf(stderr, "first_output: %s ended with status %d\n", argv[1],
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 1;
  }
  printf("%ld\n", took);
  return 0;
}
