/* The vdso and its data pages are the kernel's: they cannot be made, only moved. They pass through the hole
 * so that neither their old nor their new place is in the way. */
#include "restorer/restorer.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static void move(struct plan *plan, uint64_t from, uint64_t to, uint64_t size) {
  long at = sys(SYS_(mremap), from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  if (at != (long)to)
    restorer_fail(plan, PLAN_STEP_VDSO, at < 0 ? at : -EFAULT, from, to);
}

void restorer_move_vdso_away(struct plan *plan) {
  for (uint32_t i = 0; i < plan->move_count; i++)
    move(plan, plan->moves[i].from, plan->moves[i].through, plan->moves[i].size);
}

void restorer_place_vdso(struct plan *plan) {
  for (uint32_t i = 0; i < plan->move_count; i++)
    move(plan, plan->moves[i].through, plan->moves[i].to, plan->moves[i].size);
}

void restorer_patch_vdso(struct plan *plan) {
  for (uint32_t i = 0; i < plan->patch_count; i++)
    memcpy((void *)plan->patches[i].address, plan->patches[i].code, PLAN_STUB);
}

static void unmap(struct plan *plan, uint64_t start, uint64_t end) {
  long error = start < end ? sys(SYS_(munmap), start, end - start) : 0;
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_UNMAP, error, start, end);
}

/* All but the hole and the nest. */
void restorer_unmap_rest(struct plan *plan) {
  const uint64_t nest_start = plan->nest_start, nest_end = plan->nest_end;
  bool nest_first = nest_start < plan->hole_start;
  unmap(plan, 0, nest_first ? nest_start : plan->hole_start);
  unmap(plan, nest_first ? nest_end : plan->hole_end, nest_first ? plan->hole_start : nest_start);
  unmap(plan, nest_first ? plan->hole_end : nest_end, plan->top);
}
