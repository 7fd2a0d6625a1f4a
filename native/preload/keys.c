/* Protection keys: which the program has, and access to what is under them.
 *
 * The kernel starts every signal handler with the rights that a program begins with: to key 0 alone. What the
 * program has set itself is in its signal frame, and comes back when the handler returns. */
#include <cpuid.h>
#include <errno.h>
#include <sys/mman.h>

#include "checkpoint.h"
#include "core/sys.h"

static bool cpu_has_keys(void) {
  uint32_t a, b, c = 0, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c & bit_OSPKE;
}

void open_keys(void) {
  if (cpu_has_keys())
    __asm__ volatile("wrpkru" ::"a"(0), "c"(0), "d"(0) : "memory");
}

/* Only a key that has been given out can be put on a page. */
long describe_keys(struct checkpoint *c) {
  if (!cpu_has_keys())
    return 0;
  char *room = arena_take(&c->arena, 2ul * CKPT_PAGE);
  if (!room)
    return -ENOMEM;
  uint64_t page = ((uint64_t)room + CKPT_PAGE - 1) & ~(uint64_t)(CKPT_PAGE - 1);
  for (int key = 1; key < CKPT_KEYS; key++)
    if (sys(SYS_(pkey_mprotect), page, CKPT_PAGE, PROT_READ | PROT_WRITE, key) == 0)
      c->process.keys |= 1u << key;
  return sys(SYS_(pkey_mprotect), page, CKPT_PAGE, PROT_READ | PROT_WRITE, 0);
}
