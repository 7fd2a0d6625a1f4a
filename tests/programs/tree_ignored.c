/* Has a child to be left out of its image, by its id or as "left-alone", with pipes, a socket pair and shared
 * memory between them; and one to be saved whose standard input only the first one writes. A line tells what
 * to find: "together" all as it was, "alone" that the child is gone. With an argument there is one more
 * child, which has the program's memory ("memory") or descriptors in common with it. */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

static int to[2], from[2], pair[2], aside[2], told[2];
static volatile int *shared;

static void left_alone(void) {
  char byte;
  CHECK(prctl(PR_SET_NAME, "left-alone") == 0);
  close(to[1]), close(from[0]), close(pair[0]), close(aside[0]), close(told[0]), close(told[1]);
  *shared = getpid();
  CHECK(write(from[1], "waits", 5) == 5 && write(pair[1], "waits", 5) == 5 && write(aside[1], "a", 1) == 1);
  while (read(to[0], &byte, 1) == 1) {
    *shared += 1;
    CHECK(write(from[1], &byte, 1) == 1 && write(pair[1], &byte, 1) == 1);
  }
  CHECK(write(aside[1], "z", 1) == 1);
  exit(5);
}

/* Reads to the end what comes from one that it does not know. */
static void reader(void) {
  char bytes[8];
  ssize_t n, size = 0;
  CHECK(dup2(aside[0], 0) == 0);
  close(to[0]), close(to[1]), close(from[0]), close(from[1]), close(pair[0]), close(pair[1]);
  close(aside[0]), close(aside[1]), close(told[0]);
  while ((n = read(0, bytes + size, sizeof bytes - (size_t)size)) > 0) {
    size += n;
    CHECK(size != 1 || write(told[1], "1", 1) == 1);
  }
  CHECK(n == 0);
  exit((int)size);
}

static void expect(int fd, const char *words) {
  char got[16];
  size_t size = 0;
  for (ssize_t n; size < strlen(words); size += (size_t)n)
    CHECK((n = read(fd, got + size, strlen(words) - size)) > 0);
  CHECK(memcmp(got, words, size) == 0);
}

static int status_of(pid_t pid) {
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void find_together(pid_t child, pid_t other) {
  CHECK(write(to[1], "x", 1) == 1);
  expect(from[0], "waitsx");
  expect(pair[0], "waitsx");
  CHECK(*shared == child + 1 && close(to[1]) == 0);
  CHECK(status_of(child) == 5 && status_of(other) == 2);
}

static void find_alone(pid_t child, pid_t other) {
  char byte;
  CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  CHECK(write(to[1], "x", 1) == -1 && errno == EPIPE);
  expect(from[0], "waits");
  CHECK(read(from[0], &byte, 1) == 0);
  expect(pair[0], "waits");
  CHECK(read(pair[0], &byte, 1) <= 0);
  CHECK(*shared == child);
  CHECK(waitpid(child, NULL, 0) == -1 && errno == ECHILD && status_of(other) == 1);
}

static int hang(void *nothing) {
  (void)nothing;
  return pause();
}

static pid_t start_borrower(const char *of) {
  static char stack[65536] __attribute__((aligned(16)));
  int shares = strcmp(of, "memory") == 0 ? CLONE_VM : CLONE_FILES;
  pid_t pid = clone(hang, stack + sizeof stack, shares | SIGCHLD, NULL);
  CHECK(pid > 0);
  return pid;
}

int main(int argc, char **argv) {
  CHECK(pipe(to) == 0 && pipe(from) == 0 && pipe(aside) == 0 && pipe(told) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0)
    left_alone();
  pid_t other = fork();
  CHECK(other >= 0);
  if (other == 0)
    reader();
  close(to[0]), close(from[1]), close(pair[1]), close(aside[0]), close(aside[1]), close(told[1]);
  expect(told[0], "1");
  pid_t borrower = argc > 1 ? start_borrower(argv[1]) : 0;

  ready();
  char line[16];
  read_line(line, sizeof line);
  CHECK(!borrower || (kill(borrower, SIGKILL) == 0 && waitpid(borrower, NULL, 0) == borrower));
  if (strcmp(line, "together") == 0)
    find_together(child, other);
  else
    find_alone(child, other);
  success();
}
