/* fd_deleted PATH: a file that is open but has no name any more comes back with its contents. */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

#define SIZE (3 << 20)

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  unsigned char *bytes = malloc(SIZE), *now = malloc(SIZE);
  CHECK(bytes && now);
  unsigned long seed = 5;
  for (int i = 0; i < SIZE; i++)
    bytes[i] = (unsigned char)next_number(&seed);
  CHECK(write(fd, bytes, SIZE) == SIZE);
  CHECK(lseek(fd, 1000, SEEK_SET) == 1000);
  CHECK(unlink(argv[1]) == 0);

  ready();
  wait_for_go();

  CHECK(lseek(fd, 0, SEEK_CUR) == 1000);
  CHECK(pread(fd, now, SIZE, 0) == SIZE && memcmp(now, bytes, SIZE) == 0);
  struct stat stat;
  CHECK(fstat(fd, &stat) == 0 && stat.st_size == SIZE && stat.st_nlink == 0);
  CHECK(access(argv[1], F_OK) == -1);
  CHECK(write(fd, "more", 4) == 4);
  success();
}
