/* Memory under protection keys: what is in it, who may touch it, and which keys there are. */
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "check.h"

#define PAGE 4096ul

static sigjmp_buf back;
static int keys[4];

static void set_rights(void) {
  CHECK(pkey_set(keys[0], PKEY_DISABLE_ACCESS) == 0);
  CHECK(pkey_set(keys[2], PKEY_DISABLE_WRITE) == 0 && pkey_set(keys[3], 0) == 0);
}

/* A handler has other rights, which siglongjmp keeps. */
static bool cannot(void) {
  set_rights();
  return false;
}

static void on_fault(int signal) {
  (void)signal;
  siglongjmp(back, 1);
}

static bool can_read(volatile char *at) {
  if (sigsetjmp(back, 1))
    return cannot();
  (void)*at;
  return true;
}

static bool can_write(volatile char *at) {
  if (sigsetjmp(back, 1))
    return cannot();
  *at = *at;
  return true;
}

int main(void) {
  for (int i = 0; i < 4; i++)
    CHECK((keys[i] = pkey_alloc(0, 0)) > 0);
  CHECK(pkey_free(keys[1]) == 0);
  char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED && signal(SIGSEGV, on_fault) != SIG_ERR);
  for (int i = 0; i < 4; i++)
    memset(area + (unsigned)i * PAGE, 'a' + i, PAGE);
  CHECK(pkey_mprotect(area, PAGE, PROT_READ | PROT_WRITE, keys[0]) == 0);
  CHECK(pkey_mprotect(area + PAGE, PAGE, PROT_READ | PROT_WRITE, keys[2]) == 0);
  CHECK(pkey_mprotect(area + 2 * PAGE, PAGE, PROT_READ, keys[3]) == 0);
  set_rights();

  ready();
  wait_for_go();

  CHECK(pkey_get(keys[0]) == PKEY_DISABLE_ACCESS && pkey_get(keys[2]) == PKEY_DISABLE_WRITE);
  CHECK(!can_read(area) && can_read(area + PAGE) && !can_write(area + PAGE));
  CHECK(can_read(area + 2 * PAGE) && !can_write(area + 2 * PAGE) && can_write(area + 3 * PAGE));
  CHECK(pkey_set(keys[0], 0) == 0 && pkey_set(keys[2], 0) == 0);
  CHECK(can_write(area) && can_write(area + PAGE));
  for (unsigned i = 0; i < 4 * PAGE; i++)
    CHECK(area[i] == (char)('a' + i / PAGE));
  CHECK(pkey_mprotect(area, PAGE, PROT_READ, keys[1]) < 0 && errno == EINVAL);
  CHECK(pkey_alloc(0, 0) == keys[1]);
  success();
}
