/* FS base (thread-local variables, errno) and GS base. */
#include <asm/prctl.h>
#include <sys/syscall.h>

#include "check.h"

static __thread unsigned long local[4] = {1, 2, 3, 4};
static unsigned long area[4] = {0xabcdef, 2, 3, 4};

int main(void) {
  unsigned long fs, gs, fs_now, gs_now, through_gs;
  CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)area) == 0);
  CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0);
  CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0);
  local[2] = 333;
  unsigned long *address = local;
  ready();
  errno = 42;
  wait_for_go();
  CHECK(errno == 42);
  CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_now) == 0 && fs_now == fs);
  CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs_now) == 0 && gs_now == gs);
  __asm__ volatile("movq %%gs:0, %0" : "=r"(through_gs));
  CHECK(through_gs == 0xabcdef);
  CHECK(local == address && local[2] == 333 && local[3] == 4);
  success();
}
