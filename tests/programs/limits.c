/* Nothing left of a resource: "descriptors", or "memory" with a standard error that nobody reads. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "check.h"

extern int ckpt_checkpoint(void) __attribute__((weak));

static void use_up_descriptors(void) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 40;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  while (dup(0) >= 0)
    ;
  CHECK(errno == EMFILE);
  ready();
  wait_for_go();
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 40);
  CHECK(dup(0) < 0 && errno == EMFILE);
}

static void use_up_memory(void) {
  struct rlimit limit;
  int ends[2];
  CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
  limit.rlim_cur = 1 << 20;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  int words = dup(2);
  CHECK(pipe(ends) == 0 && words >= 0 && dup2(ends[1], 2) == 2 && close(ends[0]) == 0 && close(ends[1]) == 0);
  errno = 77;
  CHECK(raise(SIGUSR2) == 0 && errno == 77);
  int result = ckpt_checkpoint();
  CHECK(dup2(words, 2) == 2);
  CHECK(result == -ENOMEM);
  ready();
  wait_for_go();
}

int main(int argc, char **argv) {
  CHECK(argc == 2 && ckpt_checkpoint);
  if (strcmp(argv[1], "memory") == 0)
    use_up_memory();
  else
    use_up_descriptors();
  success();
}
