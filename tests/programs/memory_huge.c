/* Memory of hugetlbfs pages: private, shared, mapped twice, and over memfds. */
#include <linux/memfd.h>
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

  int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | 21u << MFD_HUGE_SHIFT);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)(2 * HUGE)) == 0);
  char *over = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *copy = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, (off_t)HUGE);
  CHECK(over != MAP_FAILED && copy != MAP_FAILED);
  over[HUGE + 9] = 'h';
  copy[10] = 'c';

  ready();
  wait_for_go();

  CHECK(own[HUGE + 12345] == 'o' && own[0] == 0 && strcmp(shared, "of both") == 0 && shared[HUGE - 1] == 's');
  CHECK(page_size_at(own) == 2048 && page_size_at(shared) == 2048);
  char byte;
  CHECK(over[HUGE + 9] == 'h' && over[HUGE + 10] == 0 && over[0] == 0 && copy[10] == 'c');
  over[1] = 'x';
  CHECK(pread(fd, &byte, 1, 1) == 1 && byte == 'x' && page_size_at(over) == 2048);
  if (again != MAP_FAILED) {
    again[5] = '!';
    CHECK(shared[5] == '!');
  }
  success();
}
