/* big_memory MIB: holds that much memory, no page of which is like another. */
#include <sys/mman.h>

#include "check.h"

int main(int argc, char **argv) {
  CHECK(argc == 2);
  size_t words = strtoul(argv[1], NULL, 10) << 17;
  unsigned long *area = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                seed = 9;
  CHECK(area != MAP_FAILED);
  for (size_t i = 0; i < words; i++)
    area[i] = next_number(&seed);
  ready();
  wait_for_go();
  seed = 9;
  for (size_t i = 0; i < words; i++)
    CHECK(area[i] == next_number(&seed));
  success();
}
