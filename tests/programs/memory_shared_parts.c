/* Shared anonymous memory that is mapped more than once, in parts and in another order, and /dev/zero: one
 * piece of memory each before and after. */
#include <fcntl.h>
#include <sys/mman.h>

#include "check.h"

#define PAGE 4096ul
#define SIZE (16 * PAGE)

static unsigned char *share(void) {
  void *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  return area;
}

int main(void) {
  unsigned char *twice = share(), *parts = share(), *first = share();
  /* A second mapping of the same memory. */
  unsigned char *again = mremap(twice, 0, SIZE, MREMAP_MAYMOVE);
  CHECK(again != MAP_FAILED);
  /* A hole, a part with other rights, and parts that change places. */
  CHECK(munmap(parts + 4 * PAGE, PAGE) == 0 && mprotect(parts + 8 * PAGE, PAGE, PROT_READ) == 0);
  unsigned char *places = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(places != MAP_FAILED);
  for (size_t i = 0; i < SIZE; i += PAGE)
    twice[i] = (unsigned char)(i / PAGE + 1), first[i] = (unsigned char)(i / PAGE + 101);
  CHECK(mremap(first, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, places + PAGE) == places + PAGE);
  CHECK(mremap(first + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, places) == places);
  parts[5 * PAGE] = 55;

  int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
  CHECK(fd >= 0);
  unsigned char *zero = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  unsigned char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(zero != MAP_FAILED && own != MAP_FAILED && close(fd) == 0);
  unsigned char *zero_again = mremap(zero + PAGE, 0, SIZE - PAGE, MREMAP_MAYMOVE);
  CHECK(zero_again != MAP_FAILED);
  zero[PAGE] = 41;
  own[PAGE] = 42;

  ready();
  wait_for_go();

  for (size_t i = 0; i < SIZE; i += PAGE) {
    CHECK(twice[i] == i / PAGE + 1 && again[i] == twice[i]);
    again[i]++;
    CHECK(twice[i] == i / PAGE + 2);
  }
  CHECK(parts[5 * PAGE] == 55 && parts[3 * PAGE] == 0);
  CHECK(places[0] == 102 && places[PAGE] == 101 && first[2 * PAGE] == 103);
  CHECK(zero[PAGE] == 41 && zero_again[0] == 41 && own[PAGE] == 42);
  zero_again[0] = 43;
  CHECK(zero[PAGE] == 43);
  success();
}
