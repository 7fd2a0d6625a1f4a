/* The stack keeps its contents and its label, and still grows on demand. */
#include "maps.h"

static unsigned long descend(unsigned depth) {
  volatile char frame[4096];
  for (size_t i = 0; i < sizeof frame; i += 64)
    frame[i] = (char)depth;
  unsigned long sum = depth == 0 ? 0 : descend(depth - 1);
  for (size_t i = 0; i < sizeof frame; i += 64)
    CHECK(frame[i] == (char)depth);
  return sum + depth;
}

int main(void) {
  CHECK(descend(16) == 136);
  struct map_line before, after;
  CHECK(map_at(&before, &before));
  CHECK(strcmp(before.name, "[stack]") == 0);

  ready();
  wait_for_go();

  CHECK(map_at(&after, &after));
  CHECK(strcmp(after.name, "[stack]") == 0);
  CHECK(after.end == before.end);
  CHECK(descend(1500) == 1500ul * 1501 / 2);
  CHECK(map_at(&after, &after));
  CHECK(after.start < before.start);
  success();
}
