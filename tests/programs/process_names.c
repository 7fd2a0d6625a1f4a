/* Process name, command line and environment as /proc shows them, also after the program changed them. */
#include <fcntl.h>
#include <sys/prctl.h>

#include "check.h"

extern char **environ;

static size_t slurp(const char *path, char *to, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  size_t length = 0;
  ssize_t got;
  while ((got = read(fd, to + length, size - length)) > 0)
    length += (size_t)got;
  CHECK(got == 0 && length < size && close(fd) == 0);
  return length;
}

static char line[2][65536], environment[2][65536], auxv[2][4096];

int main(int argc, char **argv) {
  CHECK(argc == 3);
  memset(argv[1], 'Z', strlen(argv[1]));
  if (environ[0] && strlen(environ[0]) > 3)
    environ[0][3] = '#';
  CHECK(prctl(PR_SET_NAME, "a name (x) 7", 0, 0, 0) == 0);
  size_t line_size = slurp("/proc/self/cmdline", line[0], sizeof line[0]);
  size_t environment_size = slurp("/proc/self/environ", environment[0], sizeof environment[0]);
  size_t auxv_size = slurp("/proc/self/auxv", auxv[0], sizeof auxv[0]);
  CHECK(line_size > 0);

  ready();
  wait_for_go();

  char name[64];
  CHECK(slurp("/proc/self/comm", name, sizeof name) == 13 && memcmp(name, "a name (x) 7\n", 13) == 0);
  CHECK(slurp("/proc/self/cmdline", line[1], sizeof line[1]) == line_size);
  CHECK(memcmp(line[0], line[1], line_size) == 0);
  CHECK(slurp("/proc/self/environ", environment[1], sizeof environment[1]) == environment_size);
  CHECK(memcmp(environment[0], environment[1], environment_size) == 0);
  CHECK(slurp("/proc/self/auxv", auxv[1], sizeof auxv[1]) == auxv_size);
  /* The value beside AT_NULL means nothing to a program: restart leaves its mark there. */
  CHECK(memcmp(auxv[0], auxv[1], auxv_size - sizeof(long)) == 0);
  success();
}
