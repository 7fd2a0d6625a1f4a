/* A reservation of 16 TiB with three pages in use, as Go, Java and the sanitizers make them; and zeros that
 * were written. */
#include <sys/mman.h>

#include "check.h"

#define SIZE (16ul << 40)
#define ZEROS (16ul << 20)

int main(void) {
  char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(area != MAP_FAILED);
  char *none = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(none != MAP_FAILED);
  volatile char *zeros = mmap(NULL, ZEROS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(zeros != MAP_FAILED);
  for (size_t i = 0; i < ZEROS; i += 4096)
    zeros[i] = 0;
  area[0] = 'a';
  area[SIZE / 2 + 12345] = 'b';
  area[SIZE - 1] = 'c';

  ready();
  wait_for_go();

  CHECK(area[0] == 'a' && area[SIZE / 2 + 12345] == 'b' && area[SIZE - 1] == 'c');
  CHECK(area[SIZE / 4] == 0 && area[SIZE - 4096] == 0);
  CHECK(zeros[0] == 0 && zeros[ZEROS - 1] == 0);
  area[SIZE / 4] = 'd';
  CHECK(mprotect(none + SIZE / 2, 4096, PROT_READ | PROT_WRITE) == 0);
  CHECK(none[SIZE / 2] == 0);
  success();
}
