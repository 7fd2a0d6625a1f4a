/* Memory of hugetlbfs pages: private, shared, and mapped twice. */
#include <linux/mman.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "check.h"

#define HUGE (2ul << 20)

static char *map(int flags, size_t pages) {
  void *area = mmap(NULL, pages * HUGE, PROT_READ | PROT_WRITE,
                    MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT | flags, -1, 0);
  CHECK(area != MAP_FAILED);
  return area;
}

/* KiB, as smaps says. */
static unsigned long page_size_at(const void *address) {
  FILE *smaps = fopen("/proc/self/smaps", "re");
  CHECK(smaps);
  char line[1024];
  bool inside = false;
  unsigned long size = 0, start, end;
  while (fgets(line, sizeof line, smaps)) {
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
      inside = start <= (unsigned long)address && (unsigned long)address < end;
    else if (inside)
      sscanf(line, "KernelPageSize: %lu", &size);
  }
  CHECK(fclose(smaps) == 0);
  return size;
}

int main(void) {
  char *own = map(MAP_PRIVATE, 2), *shared = map(MAP_SHARED, 1);
  char *again = mremap(shared, 0, HUGE, MREMAP_MAYMOVE);
  CHECK(again != MAP_FAILED || errno == EINVAL);
  own[HUGE + 12345] = 'o';
  strcpy(again == MAP_FAILED ? shared : again, "of both");
  shared[HUGE - 1] = 's';

  ready();
  wait_for_go();

  CHECK(own[HUGE + 12345] == 'o' && own[0] == 0 && strcmp(shared, "of both") == 0 && shared[HUGE - 1] == 's');
  CHECK(page_size_at(own) == 2048 && page_size_at(shared) == 2048);
  if (again != MAP_FAILED) {
    again[5] = '!';
    CHECK(shared[5] == '!');
  }
  success();
}
