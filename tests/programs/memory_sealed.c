/* Memory under mseal stays sealed, with its contents. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

#define PAGE 4096ul
#define SIZE (8 * PAGE)

int main(void) {
  char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  for (size_t i = 0; i < SIZE; i += PAGE)
    area[i] = (char)('a' + i / PAGE);
  CHECK(mprotect(area + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
  long sealed = syscall(462 /* mseal */, area + PAGE, 4 * PAGE, 0);
  CHECK(sealed == 0 || errno == ENOSYS);

  ready();
  wait_for_go();

  for (size_t i = 0; i < SIZE; i += PAGE)
    CHECK(area[i] == (char)('a' + i / PAGE));
  area[PAGE] = 'x';
  CHECK(munmap(area + 6 * PAGE, PAGE) == 0);
  if (sealed == 0) {
    CHECK(mprotect(area + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE) < 0 && errno == EPERM);
    CHECK(munmap(area + 4 * PAGE, PAGE) < 0 && errno == EPERM);
  }
  success();
}
