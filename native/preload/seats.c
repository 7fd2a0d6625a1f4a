/* Seats: stacks for threads to stand still on, in a mapping that is part of the image and stays for the next
 * checkpoint. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/text.h"
#include "park.h"

enum { SEAT = 16 << 10 /* bytes of stack for a parked thread */ };

extern uint64_t ckpt_parked_start __attribute__((visibility("hidden")));
extern uint64_t ckpt_parked_end __attribute__((visibility("hidden")));

long make_seats(struct checkpoint *c, uint64_t threads) {
  uint64_t wanted = threads * 2 + 64;
  if (ckpt_state.seat_count >= wanted)
    return 0;
  size_t records = (wanted * sizeof(struct parked) + CKPT_PAGE - 1) & ~(size_t)(CKPT_PAGE - 1);
  long at = sys(SYS_(mmap), 0, records + wanted * SEAT, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at < 0 && at > -4096)
    return fail(c, at, "no memory for %u threads to stand still on: %s", threads, text_errno(at));
  /* The smaller ones that were there before stay: somebody may stand there yet. */
  ckpt_state.seats = (struct parked *)at;
  ckpt_state.seat_count = (uint32_t)wanted;
  for (uint64_t i = 0; i < wanted; i++)
    ckpt_state.seats[i].stack_end = (char *)at + records + (i + 1) * SEAT;
  ckpt_parked_start = (uint64_t)at;
  ckpt_parked_end = ckpt_parked_start + wanted * sizeof(struct parked);
  return 0;
}

struct parked *take_seat(struct checkpoint *c, int32_t tid) {
  for (uint32_t i = 0; i < ckpt_state.seat_count; i++) {
    struct parked *p = &ckpt_state.seats[i];
    if (__atomic_load_n(&p->used, __ATOMIC_ACQUIRE))
      continue;
    char *stack_end = p->stack_end;
    memset(p, 0, sizeof *p);
    p->stack_end = stack_end;
    p->used = 1;
    p->c = c;
    p->tid = tid;
    return p;
  }
  return NULL;
}
