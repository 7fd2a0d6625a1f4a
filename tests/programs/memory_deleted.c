/* Mappings of files that are deleted: shared with and without a descriptor, and private. Argument: a path. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"

#define PAGE 4096ul
#define SIZE (16 * PAGE)

static int make(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)(SIZE - PAGE - 10)) == 0);
  CHECK(pwrite(fd, "first", 5, 0) == 5 && unlink(path) == 0);
  return fd;
}

static char *map(int fd, int flags) {
  void *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
  CHECK(area != MAP_FAILED);
  return area;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int held = make(argv[1]), gone = make(argv[1]);
  char *shared = map(held, MAP_SHARED), *own = map(held, MAP_PRIVATE);
  char *alone = map(gone, MAP_SHARED), *again = map(gone, MAP_SHARED), *copy = map(gone, MAP_PRIVATE);
  CHECK(close(gone) == 0);
  strcpy(shared + 2 * PAGE, "through the mapping");
  strcpy(own + 3 * PAGE, "mine");
  strcpy(alone + 4 * PAGE, "no descriptor");
  strcpy(copy + 5 * PAGE, "a copy");

  ready();
  wait_for_go();

  char text[32] = "";
  struct stat st;
  CHECK(strcmp(shared, "first") == 0 && strcmp(shared + 2 * PAGE, "through the mapping") == 0);
  CHECK(strcmp(own, "first") == 0 && strcmp(own + 3 * PAGE, "mine") == 0 && shared[3 * PAGE] == 0);
  CHECK(fstat(held, &st) == 0 && st.st_size == (off_t)(SIZE - PAGE - 10) && st.st_nlink == 0);
  strcpy(shared + PAGE, "later");
  CHECK(pread(held, text, sizeof text - 1, PAGE) > 0 && strcmp(text, "later") == 0);
  CHECK(strcmp(alone, "first") == 0 && strcmp(again + 4 * PAGE, "no descriptor") == 0);
  strcpy(again, "second");
  CHECK(strcmp(alone, "second") == 0 && strcmp(copy + 5 * PAGE, "a copy") == 0);
  success();
}
