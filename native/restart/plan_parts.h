/* The parts that plan.c puts together, each laid into the hole. */
#ifndef RESTART_PLAN_PARTS_H
#define RESTART_PLAN_PARTS_H

#include <string.h>

#include "child.h"
#include "restorer/plan.h"

/* What the hole is handed out from. */
struct room {
  uint64_t next;
  uint64_t end;
};

static inline void *room_take(struct room *room, uint64_t size) {
  void *taken = (void *)room->next;
  room->next += (size + 63) & ~63ull;
  return taken;
}

static inline void *room_take_copy(struct room *room, const void *from, uint64_t size) {
  void *taken = room_take(room, size);
  if (size)
    memcpy(taken, from, size);
  return taken;
}

/* How many threads read pages beside the first. */
uint32_t plan_count_workers(const struct image *image);

/* plan_memory.c. `spare`: room in the hole for the vdso to pass through; `parked`: where it may stay. */
/* How a region is mapped, `filled` when pages are read into it: 0, or -1 with a problem said. */
int plan_region(struct child *child, const struct ckpt_region *region, bool filled, struct plan_region *as);
int plan_add_regions(struct child *child, struct room *room, struct plan *plan);
void plan_add_segments(struct child *child, struct room *room, struct plan *plan);
void plan_add_seals(struct child *child, struct room *room, struct plan *plan);
void plan_add_pages(struct child *child, struct room *room, struct plan *plan);
void plan_add_vdso(struct child *child, struct room *room, struct plan *plan, uint64_t spare,
                   uint64_t parked);
void plan_add_workers(struct room *room, struct plan *plan, uint32_t workers);

/* plan_process.c */
void plan_add_mm(struct child *child, struct room *room, struct plan *plan);
void plan_add_credentials(const struct child *child, struct room *room, struct plan *plan);
void plan_add_locks(const struct child *child, struct room *room, struct plan *plan);
void plan_add_owners(const struct child *child, struct room *room, struct plan *plan);
void plan_add_notifications(const struct child *child, struct room *room, struct plan *plan);
void plan_add_positions(const struct child *child, struct room *room, struct plan *plan);
void plan_add_arrays(const struct child *child, struct room *room, struct plan *plan);

#endif
