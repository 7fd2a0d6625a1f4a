/* api_exclude: what is excluded reads as zeros after a restart and is untouched before one; all around it,
 * what was included again and what only touches a page stays. */
#include <stdbool.h>
#include <sys/mman.h>

#include "../../native/include/ckpt.h"
#include "check.h"

enum { PAGE = 4096, PAGES = 64 };

static bool holds(const char *page, char byte) {
  for (int i = 0; i < PAGE; i++)
    if (page[i] != byte)
      return false;
  return true;
}

static bool is_left_out(int page) {
  return (page >= 10 && page < 16) || (page >= 20 && page < 30) || (page >= 34 && page < 40);
}

static void fill_the_table(void) {
  char *base = (char *)0x10000;
  int count = 0, result;
  while ((result = ckpt_exclude(base + count * 2 * PAGE, PAGE)) == 0)
    count++;
  CHECK(result == -ENOSPC && count == 64);
  CHECK(ckpt_include(base + PAGE / 2, 4) == 0); /* one byte of a page brings it back */
  CHECK(ckpt_exclude(base + 1000 * PAGE, PAGE) == 0);
  CHECK(ckpt_exclude(base, 1001 * PAGE) == 0); /* all become one */
  CHECK(ckpt_exclude(base + 2000 * PAGE, PAGE) == 0);
  CHECK(ckpt_include(base, 2001 * PAGE) == 0);
}

int main(void) {
  char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  for (int i = 0; i < PAGES; i++)
    memset(memory + i * PAGE, i + 1, PAGE);
  fill_the_table();
  CHECK(ckpt_exclude(memory, (size_t)-1) == -EINVAL);
  CHECK(ckpt_exclude(memory + 5, PAGE) == 0); /* holds no whole page */
  CHECK(ckpt_exclude(memory + 10 * PAGE - 1, 6 * PAGE + 2) == 0);
  CHECK(ckpt_exclude(memory + 20 * PAGE, 20 * PAGE) == 0);
  CHECK(ckpt_include(memory + 30 * PAGE + 7, 3 * PAGE + 1) == 0);
  ready();
  wait_for_go();
  for (int i = 0; i < PAGES; i++)
    CHECK(holds(memory + i * PAGE, ckpt_restarts() && is_left_out(i) ? 0 : (char)(i + 1)));
  success();
}
