/* The break: where it was, labelled [heap], still movable, and malloc goes on from it. */
#include "maps.h"

#define MORE (3 << 20)

int main(void) {
  char *block = malloc(100000);
  CHECK(block);
  memset(block, 'x', 100000);
  char *end = sbrk(5 * 4096 + 100);
  CHECK(end != (void *)-1);
  memset(end, 'y', 5 * 4096 + 100);
  char *top = sbrk(0);

  ready();
  wait_for_go();

  CHECK(sbrk(0) == top);
  struct map_line map;
  CHECK(map_at(block, &map));
  CHECK(strcmp(map.name, "[heap]") == 0);
  for (int i = 0; i < 100000; i++)
    CHECK(block[i] == 'x');
  for (int i = 0; i < 5 * 4096 + 100; i++)
    CHECK(end[i] == 'y');
  CHECK(sbrk(MORE) == top);
  for (int i = 0; i < MORE; i++)
    CHECK(top[i] == 0);
  memset(top, 'z', MORE);
  CHECK(sbrk(0) == top + MORE);
  CHECK(sbrk(-MORE) == top + MORE);
  CHECK(sbrk(0) == top);
  char *another = malloc(120000);
  CHECK(another);
  memset(another, 'w', 120000);
  CHECK(block[99999] == 'x' && end[0] == 'y');
  free(block);
  free(another);
  success();
}
