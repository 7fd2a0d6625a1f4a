/* Mappings: made writable first so that pages can be read into them, given their own protection after. */
#include "restorer/restorer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "core/aio.h"

#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL, Linux 6.13 */
#define MSEAL 462         /* Linux 6.10 */
#define DROPPABLE 0x08    /* MAP_DROPPABLE, Linux 6.11; an older one keeps what it may not drop */

static void advise(struct plan *plan, const struct plan_region *region, int advice) {
  long error = sys(SYS_(madvise), region->start, region->end - region->start, advice);
  /* A kernel built without KSM or huge pages refuses their hints: nothing is lost. */
  bool hint = advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE || advice == MADV_MERGEABLE;
  if (error < 0 && !(hint && error == -EINVAL))
    restorer_fail(plan, PLAN_STEP_ADVISE, error, region->start, region->end);
}

static void must_be(struct plan *plan, const struct plan_region *region, long at) {
  if (at != (long)region->start)
    restorer_fail(plan, PLAN_STEP_MAP, at < 0 ? at : -EEXIST, region->start, region->end);
}

static long map(const struct plan_region *region) {
  uint64_t size = region->end - region->start;
  if (region->nested)
    return sys(SYS_(mremap), region->nested, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, region->start);
  int flags = region->mmap_flags | MAP_FIXED_NOREPLACE;
  if (region->flags & CKPT_REGION_DROPPABLE) {
    long at = sys(SYS_(mmap), region->start, size, region->fill_prot, (flags & ~MAP_TYPE) | DROPPABLE, -1, 0);
    if (at != -EINVAL && at != -EOPNOTSUPP)
      return at;
  }
  return sys(SYS_(mmap), region->start, size, region->fill_prot, flags, region->fd, region->offset);
}

/* Are both pieces of one attachment, which shmdt would let go together? */
static bool same_attachment(const struct plan_region *a, const struct plan_region *b) {
  return b->segment && a->fd == b->fd && a->start - a->offset == b->start - b->offset;
}

static long reserve(const struct plan_region *region) {
  return sys(SYS_(mmap), region->start, region->end - region->start, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}

static long move_piece(const struct plan_region *region, long whole) {
  uint64_t size = region->end - region->start;
  return sys(SYS_(mremap), whole + (long)region->offset, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
             region->start);
}

/* Attached as a whole, wherever there is room beside its places; then each piece is moved to its own, and the
 * rest let go. */
static void attach(struct plan *plan, const struct plan_region *first) {
  const struct plan_region *end = plan->regions + plan->region_count;
  for (const struct plan_region *piece = first; piece < end; piece++)
    if (same_attachment(first, piece))
      must_be(plan, piece, reserve(piece));
  long whole = sys(SYS_(shmat), first->fd, NULL, 0);
  if (whole < 0 && whole > -4096)
    must_be(plan, first, whole);
  for (struct plan_region *piece = plan->regions + (first - plan->regions); piece < end; piece++) {
    if (!same_attachment(first, piece))
      continue;
    must_be(plan, piece, move_piece(piece, whole));
    piece->attached = 1;
  }
  sys(SYS_(shmdt), whole); /* nothing is left when all of it was wanted */
}

void restorer_map_regions(struct plan *plan) {
  for (uint32_t i = 0; i < plan->region_count; i++) {
    const struct plan_region *region = &plan->regions[i];
    if (!region->segment)
      must_be(plan, region, map(region));
    else if (!region->attached)
      attach(plan, region);
    /* Before the pages come: these decide what kind of page they come into. */
    if (region->flags & CKPT_REGION_HUGEPAGE)
      advise(plan, region, MADV_HUGEPAGE);
    if (region->flags & CKPT_REGION_NOHUGEPAGE)
      advise(plan, region, MADV_NOHUGEPAGE);
  }
}

void restorer_remove_segments(struct plan *plan) {
  for (uint32_t i = 0; i < plan->segment_count; i++) {
    long error = plan->segments[i].removed ? sys(SYS_(shmctl), plan->segments[i].id, IPC_RMID, NULL) : 0;
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_SEGMENT, error, (uint64_t)plan->segments[i].id, 0);
  }
}

void restorer_seal_files(struct plan *plan) {
  for (uint32_t i = 0; i < plan->seal_count; i++) {
    long error = sys(SYS_(fcntl), plan->seals[i].fd, F_ADD_SEALS, plan->seals[i].seals);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_SEAL, error, 0, 0);
  }
}

static const struct {
  uint32_t flag;
  int advice;
} late_advice[] = {
    {CKPT_REGION_DONTFORK, MADV_DONTFORK},     {CKPT_REGION_DONTDUMP, MADV_DONTDUMP},
    {CKPT_REGION_WIPEONFORK, MADV_WIPEONFORK}, {CKPT_REGION_MERGEABLE, MADV_MERGEABLE},
    {CKPT_REGION_RANDOM, MADV_RANDOM},         {CKPT_REGION_SEQUENTIAL, MADV_SEQUENTIAL},
};

/* Pages that cannot be had, where there is no access or behind the end of a file, were missing before, too.
 */
static void lock(struct plan *plan, const struct plan_region *region) {
  uint64_t size = region->end - region->start;
  long error = sys(SYS_(mlock2), region->start, size, MLOCK_ONFAULT);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_LOCK_MEMORY, error, region->start, region->end);
  if (!(region->flags & CKPT_REGION_ON_FAULT))
    sys(SYS_(mlock), region->start, size);
}

/* Those that the program has; it gets the lowest that is free, so all have to be taken for a moment. */
static void take_keys(struct plan *plan) {
  uint32_t taken = 0;
  if (!plan->process.keys)
    return;
  for (long key; (key = sys(SYS_(pkey_alloc), 0, 0)) > 0 && key < CKPT_KEYS;)
    taken |= 1u << key;
  for (uint32_t key = 1; key < CKPT_KEYS; key++)
    if ((taken & ~plan->process.keys) >> key & 1)
      sys(SYS_(pkey_free), key);
}

/* Of the same name, which is its address, in place of the memory into which its events have been read. */
static void make_queue(struct plan *plan, const struct plan_region *region) {
  const struct aio_ring *events = (const struct aio_ring *)region->start;
  uint64_t size = region->end - region->start;
  long made = aio_waiting(events, size) < 0 ? -EINVAL : aio_setup(events);
  long error = made < 0 ? made : aio_fill((struct aio_ring *)made, events, size, plan->core_fd);
  if (error >= 0)
    error = sys(SYS_(mremap), made, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, region->start);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_AIO, error, region->start, 0);
}

static void finish(struct plan *plan, const struct plan_region *region) {
  if (region->queue)
    make_queue(plan, region);
  uint32_t key = region->flags >> CKPT_KEY_SHIFT & (CKPT_KEYS - 1);
  if (region->prot != region->fill_prot || key) {
    uint64_t size = region->end - region->start;
    long error = key ? sys(SYS_(pkey_mprotect), region->start, size, region->prot, key)
                     : sys(SYS_(mprotect), region->start, size, region->prot);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_PROTECT, error, region->start, region->end);
  }
  for (size_t i = 0; i < sizeof late_advice / sizeof *late_advice; i++)
    if (region->flags & late_advice[i].flag)
      advise(plan, region, late_advice[i].advice);
  if (region->flags & CKPT_REGION_LOCKED)
    lock(plan, region);
  if (region->flags & CKPT_REGION_SEALED) {
    long error = sys(MSEAL, region->start, region->end - region->start, 0);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_SEAL_MEMORY, error, region->start, region->end);
  }
}

void restorer_finish_regions(struct plan *plan) {
  take_keys(plan);
  for (uint32_t i = 0; i < plan->guard_count; i++) {
    const struct ckpt_range *guard = &plan->guards[i];
    long error = sys(SYS_(madvise), guard->start, guard->end - guard->start, GUARD_INSTALL);
    if (error < 0)
      restorer_fail(plan, PLAN_STEP_GUARD, error, guard->start, guard->end);
  }
  for (uint32_t i = 0; i < plan->region_count; i++)
    finish(plan, &plan->regions[i]);
  long error = plan->process.lock_future ? sys(SYS_(mlockall), plan->process.lock_future) : 0;
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_LOCK_FUTURE, error, 0, 0);
}
