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

void restorer_unmap_rest(struct plan *plan) {
  long error = sys(SYS_(munmap), 0, plan->hole_start);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_UNMAP, error, 0, plan->hole_start);
  if (plan->top <= plan->hole_end)
    return;
  error = sys(SYS_(munmap), plan->hole_end, plan->top - plan->hole_end);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_UNMAP, error, plan->hole_end, plan->top);
}
