/* memory_file PATH: private and shared mappings of a file; changed pages come back, others follow the file.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "maps.h"

#define PAGE 4096
#define PAGES 8

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0);
  char page[PAGE];
  for (int i = 0; i < PAGES; i++) {
    memset(page, 'a' + i, PAGE);
    CHECK(write(fd, page, PAGE) == PAGE);
  }
  char *private = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(private != MAP_FAILED);
  char *late = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 4 * PAGE);
  CHECK(late != MAP_FAILED);
  char *shared = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED);
  CHECK(close(fd) == 0);
  CHECK(private[PAGE] == 'b');
  private[2 * PAGE + 7] = 'X';
  private[5 * PAGE] = 'Y';
  shared[6 * PAGE + 1] = 'S';

  ready();
  wait_for_go();

  for (int i = 0; i < PAGES; i++) {
    char first = i == 5 ? 'Y' : (char)('a' + i);
    CHECK(private[i * PAGE] == first);
    CHECK(private[i * PAGE + 7] == (i == 2 ? 'X' : 'a' + i));
  }
  CHECK(late[0] == 'e' && late[PAGE] == 'f');
  struct map_line map;
  CHECK(map_at(private, &map) && strstr(map.name, argv[1]));
  CHECK(strcmp(map.prot, "rw-p") == 0);
  CHECK(map_at(shared, &map) && strcmp(map.prot, "rw-s") == 0);
  shared[0] = 'T';
  CHECK(private[0] == 'T');
  private[3 * PAGE] = 'P';
  fd = open(argv[1], O_RDONLY);
  CHECK(fd >= 0);
  CHECK(pread(fd, page, PAGE, 0) == PAGE && page[0] == 'T');
  CHECK(pread(fd, page, PAGE, 2 * PAGE) == PAGE && page[7] == 'c');
  CHECK(pread(fd, page, PAGE, 3 * PAGE) == PAGE && page[0] == 'd');
  CHECK(pread(fd, page, PAGE, 6 * PAGE) == PAGE && page[1] == 'S');
  success();
}
