/* What a system call may not change, around a poll. See undisturbed.h. */
#include "undisturbed.h"

/* poll(NULL, 0, MS) with the direction flag set, a pattern in the red zone and one in xmm0 and xmm15. */
static void block_registers(void) {
  unsigned long low, high, red = 0, result, flags = 0;
  __asm__ volatile(
      "movq %[a], %%xmm0\n\tmovq %[b], %%xmm15\n\t"
      "movq %[a], -120(%%rsp)\n\t"
      "movl $7, %%eax\n\tstd\n\tsyscall\n\t"
      "movq -120(%%rsp), %[red]\n\t"
      "leaq -128(%%rsp), %%rsp\n\tpushfq\n\tpopq %[flags]\n\tcld\n\tleaq 128(%%rsp), %%rsp\n\t"
      "movq %%xmm0, %[low]\n\tmovq %%xmm15, %[high]"
      : "=a"(result), [red] "=&r"(red), [low] "=&r"(low), [high] "=&r"(high), [flags] "=&r"(flags)
      : "D"(0), "S"(0), "d"(MS), [a] "r"(0x1234567890abcdefUL), [b] "r"(0xfedcba0987654321UL)
      : "rcx", "r11", "memory", "cc", "xmm0", "xmm15");
  CHECK(result == 0 && (flags & 0x400));
  CHECK(red == 0x1234567890abcdefUL && low == red && high == 0xfedcba0987654321UL);
}

static struct row rows[] = {
    {.name = "registers", .kind = TIMED_AGAIN, .block = block_registers},
};

MAIN
