/* Anonymous memory is anonymous again: MADV_DONTNEED gives zeros, MADV_FREE works, mremap grows with zeros.
 */
#include <sys/mman.h>

#include "maps.h"

#define PAGE 4096ul
#define SIZE (256 * PAGE)

static char *filled(char with) {
  char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  memset(area, with, SIZE);
  return area;
}

int main(void) {
  char *dropped = filled('d'), *freed = filled('f'), *grown = filled('g'), *sparse = filled(0);
  sparse[100 * PAGE] = 's';
  CHECK(madvise(sparse + 50 * PAGE, 10 * PAGE, MADV_DONTNEED) == 0);

  ready();
  wait_for_go();

  struct map_line map;
  CHECK(map_at(dropped, &map) && map.name[0] == 0);
  CHECK(madvise(dropped + PAGE, SIZE - 2 * PAGE, MADV_DONTNEED) == 0);
  for (size_t i = 0; i < SIZE; i++)
    CHECK(dropped[i] == (i < PAGE || i >= SIZE - PAGE ? 'd' : 0));
  CHECK(madvise(freed, SIZE, MADV_FREE) == 0);
  for (size_t i = 0; i < SIZE; i += PAGE)
    CHECK(freed[i] == 'f' || freed[i] == 0);
  for (size_t i = 0; i < SIZE; i++)
    CHECK(sparse[i] == (i == 100 * PAGE ? 's' : 0));
  char *moved = mremap(grown, SIZE, 4 * SIZE, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED);
  for (size_t i = 0; i < 4 * SIZE; i++)
    CHECK(moved[i] == (i < SIZE ? 'g' : 0));
  success();
}
