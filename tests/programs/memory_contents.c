/* Private memory: contents and protections of anonymous mappings, of data, bss, heap and stack. */
#include <sys/mman.h>

#include "maps.h"

#define PAGE 4096ul
#define PAGES 64ul

static unsigned long data[1024] = {1, 2, 3};
static unsigned long bss[1024];

static void fill(unsigned long *words, size_t count, unsigned long seed) {
  for (size_t i = 0; i < count; i++)
    words[i] = next_number(&seed);
}

static void verify(const unsigned long *words, size_t count, unsigned long seed) {
  for (size_t i = 0; i < count; i++)
    CHECK(words[i] == next_number(&seed));
}

static void check_protection(const void *address, const char *prot) {
  struct map_line map;
  CHECK(map_at(address, &map));
  if (strcmp(map.prot, prot) != 0)
    FAIL("%p is %s, not %s", address, map.prot, prot);
}

int main(void) {
  static const struct {
    int prot;
    const char *word;
  } kinds[] = {{PROT_NONE, "---p"},
               {PROT_READ, "r--p"},
               {PROT_READ | PROT_WRITE, "rw-p"},
               {PROT_READ | PROT_EXEC, "r-xp"},
               {PROT_READ | PROT_WRITE | PROT_EXEC, "rwxp"}};
  enum { KINDS = sizeof kinds / sizeof *kinds };
  unsigned long *areas[KINDS];
  for (size_t k = 0; k < KINDS; k++) {
    areas[k] = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(areas[k] != MAP_FAILED);
    fill(areas[k], PAGES * PAGE / sizeof(long), k + 1);
    CHECK(mprotect(areas[k], PAGES * PAGE, kinds[k].prot) == 0);
  }
  unsigned long local[1024], *heap = malloc(1 << 20);
  CHECK(heap);
  fill(local, 1024, 21);
  fill(heap, (1 << 20) / sizeof(long), 22);
  fill(data, 1024, 23);
  fill(bss, 1024, 24);

  ready();
  wait_for_go();

  for (size_t k = 0; k < KINDS; k++) {
    check_protection(areas[k], kinds[k].word);
    CHECK(mprotect(areas[k], PAGES * PAGE, PROT_READ | PROT_WRITE) == 0);
    verify(areas[k], PAGES * PAGE / sizeof(long), k + 1);
  }
  verify(local, 1024, 21);
  verify(heap, (1 << 20) / sizeof(long), 22);
  verify(data, 1024, 23);
  verify(bss, 1024, 24);
  success();
}
