/* file_reader PATH: has read half of the file when it says READY, and reads the rest after "go".
 * With another word it has the file mapped meanwhile, too. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"

int main(int argc, char **argv) {
  CHECK(argc == 2 || argc == 3);
  int fd = open(argv[1], O_RDONLY);
  CHECK(fd >= 0);
  struct stat stat;
  CHECK(fstat(fd, &stat) == 0 && stat.st_size < 4096);
  char bytes[4096];
  CHECK(read(fd, bytes, (size_t)stat.st_size / 2) == stat.st_size / 2);
  CHECK(argc == 2 || mmap(NULL, sizeof bytes, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
  ready();
  wait_for_go();
  CHECK(read(fd, bytes, sizeof bytes) == stat.st_size - stat.st_size / 2);
  success();
}
