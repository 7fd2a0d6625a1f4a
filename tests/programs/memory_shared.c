/* Shared anonymous memory that one process maps: contents, and shared again with a child after a restart. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "maps.h"

#define SIZE (64 * 4096ul)

int main(void) {
  unsigned char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  for (size_t i = 0; i < SIZE; i++)
    area[i] = (unsigned char)(i * 7 + 1);

  ready();
  wait_for_go();

  for (size_t i = 0; i < SIZE; i++)
    CHECK(area[i] == (unsigned char)(i * 7 + 1));
  struct map_line map;
  CHECK(map_at(area, &map) && map.prot[3] == 's');
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    area[100] = 99;
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(area[100] == 99);
  success();
}
