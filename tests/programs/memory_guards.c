/* Guards: PROT_NONE pages between others, and MADV_GUARD_INSTALL pages that no line of maps shows. */
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "check.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define PAGE 4096

static sigjmp_buf back;

static void on_fault(int signal) {
  (void)signal;
  siglongjmp(back, 1);
}

static bool faults(volatile char *address) {
  if (sigsetjmp(back, 1))
    return true;
  *address = *address;
  return false;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_fault};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  volatile char *area = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  for (int i = 0; i < 8; i++)
    area[i * PAGE] = (char)(i + 1);
  CHECK(mprotect((void *)(area + PAGE), PAGE, PROT_NONE) == 0);
  CHECK(mprotect((void *)(area + 6 * PAGE), PAGE, PROT_NONE) == 0);
  bool installed = madvise((void *)(area + 3 * PAGE), PAGE, MADV_GUARD_INSTALL) == 0;
  if (!installed)
    say("note: this kernel has no MADV_GUARD_INSTALL\n");
  CHECK(faults(area + PAGE) && faults(area + 6 * PAGE) && faults(area + 3 * PAGE) == installed);

  ready();
  wait_for_go();

  for (int i = 0; i < 8; i++) {
    bool guard = i == 1 || i == 6 || (i == 3 && installed);
    CHECK(faults(area + i * PAGE) == guard);
    if (!guard)
      CHECK(area[i * PAGE] == i + 1);
  }
  success();
}
