/* memory_many MAPPINGS MIB: that many mappings, and a reservation of 16 TiB with so much in it, scattered. */
#include <sys/mman.h>

#include "check.h"

#define PAGE 4096ul
#define RESERVED (16ul << 40)

static unsigned long mark(unsigned long i) {
  return i * 0x9e3779b97f4a7c15ul | 1;
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  unsigned long mappings = strtoul(argv[1], NULL, 10), pages = strtoul(argv[2], NULL, 10) << 8;
  char *area = mmap(NULL, mappings * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  for (unsigned long i = 0; i < mappings; i++) {
    if (i % 64 == 0)
      memcpy(area + i * PAGE, &(unsigned long){mark(i)}, sizeof(long));
    if (i % 2)
      CHECK(mprotect(area + i * PAGE, PAGE, PROT_READ) == 0);
  }
  char *reserved =
      mmap(NULL, RESERVED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(reserved != MAP_FAILED);
  unsigned long step = pages ? RESERVED / pages / PAGE * PAGE : 0;
  for (unsigned long i = 0; i < pages; i++) /* runs of 16 pages, far from each other */
    memcpy(reserved + i / 16 * 16 * step + i % 16 * PAGE, &(unsigned long){mark(~i)}, sizeof(long));

  ready();
  wait_for_go();

  unsigned long found;
  for (unsigned long i = 0; i < mappings; i++) {
    memcpy(&found, area + i * PAGE, sizeof found);
    CHECK(found == (i % 64 ? 0 : mark(i)));
  }
  for (unsigned long i = 0; i < pages; i++) {
    memcpy(&found, reserved + i / 16 * 16 * step + i % 16 * PAGE, sizeof found);
    CHECK(found == mark(~i));
  }
  success();
}
