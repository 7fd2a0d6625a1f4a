/* Locked memory: pages that are locked as they are touched stay away until then, a region that nobody may
 * touch can be locked, and what mlockall said about mappings to come holds. */
#include <stdbool.h>
#include <sys/mman.h>

#include "check.h"

#define PAGE 4096ul
#define LARGE (1ul << 38)

/* More than any limit of an ordinary user, and than the machine has memory. */
static size_t large(void) {
  return geteuid() == 0 ? LARGE : 512 * PAGE;
}

static char *map(size_t size, int protection) {
  char *at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static bool is_there(char *page) {
  unsigned char there;
  CHECK(mincore(page, PAGE, &there) == 0);
  return there & 1;
}

int main(void) {
  char *on_fault = map(large(), PROT_READ | PROT_WRITE), *closed = map(PAGE, PROT_NONE);
  CHECK(mlock2(on_fault, large(), MLOCK_ONFAULT) == 0);
  on_fault[0] = 7;
  CHECK(mlock2(closed, PAGE, MLOCK_ONFAULT) == 0 && mlock(closed, PAGE) < 0);
  /* An ordinary user's limit is less than a checkpoint needs of address space. */
  bool future = geteuid() == 0;
  CHECK(!future || mlockall(MCL_FUTURE) == 0);

  ready();
  wait_for_go();

  CHECK(on_fault[0] == 7 && is_there(on_fault));
  CHECK(!is_there(on_fault + PAGE) && !is_there(on_fault + large() - PAGE));
  CHECK(msync(closed, PAGE, MS_INVALIDATE) < 0 && errno == EBUSY); /* locked */
  CHECK(is_there(map(PAGE, PROT_READ | PROT_WRITE)) == future);
  success();
}
