/* memory_spare PATH SIZE: maps a file to be written and shared and closes it, in two processes. What is
 * written there afterwards is in the file, and in the other process. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

int main(int argc, char **argv) {
  CHECK(argc == 3);
  size_t size = strtoul(argv[2], NULL, 10);
  int down[2], fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0640);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && pipe(down) == 0);
  unsigned char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), byte;
  CHECK(area != MAP_FAILED && close(fd) == 0);
  for (size_t i = 0; i < size; i++)
    area[i] = (unsigned char)(i * 7 + 5);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(down[1]);
    CHECK(read(down[0], &byte, 1) == 1);
    area[1] = area[0];
    _exit(0);
  }
  close(down[0]);

  ready();
  wait_for_go();

  for (size_t i = 2; i < size; i++)
    CHECK(area[i] == (unsigned char)(i * 7 + 5));
  area[0] = 99;
  int status;
  CHECK(write(down[1], "x", 1) == 1 && waitpid(child, &status, 0) == child && status == 0 && area[1] == 99);
  fd = open(argv[1], O_RDONLY);
  CHECK(fd >= 0 && pread(fd, &byte, 1, 1) == 1 && byte == 99 && close(fd) == 0);
  success();
}
