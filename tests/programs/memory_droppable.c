/* memory_droppable [secret]: memory that the kernel may drop, as a libc may have for its random numbers, or
 * with "secret" memory that nobody else can read, whose descriptor is closed. Says of the first, after
 * "look", whether it still holds something. Where there is none such, it ends with 77. */
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"
#include "maps.h"

enum { SIZE = 4 * 4096, DROPPABLE = 0x08 /* MAP_DROPPABLE */ };

static char *map_secret(void) {
  int fd = (int)syscall(SYS_memfd_secret, 0);
  if (fd < 0)
    exit(77);
  char *secret = NULL;
  CHECK(ftruncate(fd, SIZE) == 0);
  secret = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(secret != MAP_FAILED && close(fd) == 0);
  return secret;
}

static char *map_droppable(void) {
  char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, DROPPABLE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED)
    exit(77);
  return area;
}

int main(int argc, char **argv) {
  bool secret = argc == 2 && strcmp(argv[1], "secret") == 0;
  char line[64], *area = secret ? map_secret() : map_droppable();
  memset(area, 'd', SIZE);

  ready();
  read_line(line, sizeof line);

  for (size_t i = 0; i < SIZE; i += 4096)
    CHECK(area[i] == 'd' || (!secret && area[i] == 0));
  if (strcmp(line, "look") == 0)
    say(area[0] ? "held\n" : "dropped\n");
  CHECK(secret || has_vm_flag(area, " dp"));
  success();
}
