/* What madvise and mlock said about a mapping holds after a restart, as the VmFlags of smaps show it. */
#include <stdbool.h>
#include <sys/mman.h>

#include "check.h"
#include "maps.h"

#define SIZE (16 * 4096ul)

int main(void) {
  static const struct {
    int advice;
    const char *flag;
  } rows[] = {{MADV_DONTFORK, " dc"},   {MADV_WIPEONFORK, " wf"}, {MADV_DONTDUMP, " dd"},
              {MADV_RANDOM, " rr"},     {MADV_SEQUENTIAL, " sr"}, {MADV_HUGEPAGE, " hg"},
              {MADV_NOHUGEPAGE, " nh"}, {MADV_MERGEABLE, " mg"}};
  enum { ROWS = sizeof rows / sizeof *rows };
  char *areas[ROWS];
  bool supported[ROWS];
  for (size_t i = 0; i < ROWS; i++) {
    areas[i] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(areas[i] != MAP_FAILED);
    memset(areas[i], 'A' + (int)i, SIZE);
    supported[i] = madvise(areas[i], SIZE, rows[i].advice) == 0;
  }
  char *locked = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(locked != MAP_FAILED);
  memset(locked, 'l', SIZE);
  char *grows = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
  CHECK(grows != MAP_FAILED);
  grows[0] = 'g';
  bool held = mlock(locked, SIZE) == 0;

  ready();
  wait_for_go();

  for (size_t i = 0; i < ROWS; i++) {
    CHECK(areas[i][0] == 'A' + (int)i && areas[i][SIZE - 1] == 'A' + (int)i);
    if (supported[i] && !has_vm_flag(areas[i], rows[i].flag))
      FAIL("flag%s is gone", rows[i].flag);
  }
  CHECK(!held || has_vm_flag(locked, " lo"));
  CHECK(has_vm_flag(grows, " gd") && grows[0] == 'g');
  CHECK(locked[SIZE - 1] == 'l');
  success();
}
