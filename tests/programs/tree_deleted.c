/* A deleted file whose length is no whole number of pages: one process has it open, another only maps it. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

enum { LENGTH = 8447 };

int main(void) {
  char name[] = "deleted-XXXXXX", text[8] = "";
  int fd = mkstemp(name), down[2], status;
  struct stat st;
  CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, LENGTH) == 0 && pipe(down) == 0);
  char *shared = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED && pwrite(fd, "last", 4, LENGTH - 4) == 4);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    alarm(300); /* should the parent be gone without a word */
    CHECK(close(fd) == 0 && close(down[1]) == 0 && read(down[0], text, 1) == 1);
    CHECK(memcmp(shared + LENGTH - 4, "last", 4) == 0);
    shared[0] = 'x';
    _exit(3);
  }
  CHECK(munmap(shared, LENGTH) == 0);

  ready();
  wait_for_go();

  CHECK(fstat(fd, &st) == 0 && st.st_size == LENGTH && write(down[1], "g", 1) == 1);
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  CHECK(pread(fd, text, 1, 0) == 1 && text[0] == 'x');
  success();
}
