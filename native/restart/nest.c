#include "nest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hole.h"
#include "job.h"
#include "plan_parts.h"
#include "say.h"

#define HUGE_PAGE (2ull << 20)

typedef unsigned long long ull;

/* What the kernel keeps of a mapping for as long as it is there, and a move does not change. */
#define KEPT_FLAGS                                                                                           \
  (CKPT_REGION_GROWSDOWN | CKPT_REGION_NORESERVE | CKPT_REGION_HUGEPAGE | CKPT_REGION_NOHUGEPAGE |           \
   CKPT_REGION_HUGETLB)

/* ---- Room --------------------------------------------------------------------------------------------- */

static bool has_heirs(const struct child *child) {
  for (uint32_t i = 1; i < child->job->count; i++)
    if (job_parent(&child->job->children[i]) == child && child->job->images[i].inherited_count)
      return true;
  return false;
}

/* The leader may have none where a descendant has: what a shell starts shares nothing with the shell. */
static bool has_heirs_at_all(const struct job *job) {
  for (uint32_t i = 1; i < job->count; i++)
    if (job->images[i].inherited_count)
      return true;
  return false;
}

int nest_place(struct job *job) {
  struct ckpt_range room;
  if (!has_heirs_at_all(job))
    return 0;
  if (holes_find_largest(job->images, job->count, &room) < 0)
    return -1;
  job->children[0].nest = (struct nest){.start = room.start, .next = room.start, .end = room.end};
  return 0;
}

/* As far from a boundary of huge pages as it will be. 0: there is none, which is said. */
static uint64_t take_room(struct nest *nest, const struct ckpt_region *region) {
  uint64_t at = nest->next + (region->start - nest->next) % HUGE_PAGE;
  uint64_t size = region->end - region->start;
  if (at >= nest->end || size > nest->end - at - HUGE_PAGE) {
    say_problem("the program leaves no room in its address space to restart it from");
    return 0;
  }
  nest->next = at + size + HUGE_PAGE;
  return at;
}

static int cannot(const struct ckpt_region *region, const char *what) {
  return say_problem("cannot %s memory at %llx-%llx: %s", what, (ull)region->start, (ull)region->end,
                     strerror(errno));
}

static int map_region(struct child *child, uint32_t index) {
  const struct ckpt_region *region = &child->image->regions[index];
  struct plan_region as;
  uint64_t at = take_room(&child->nest, region);
  size_t size = region->end - region->start;
  if (at == 0 || plan_region(child, region, true, &as) < 0)
    return -1;
  void *mapped = mmap((void *)at, size, PROT_READ | PROT_WRITE, as.mmap_flags | MAP_FIXED_NOREPLACE, as.fd,
                      (off_t)as.offset);
  if (mapped != (void *)at)
    return cannot(region, "map");
  /* Hints that a kernel may not know. */
  if (region->flags & CKPT_REGION_HUGEPAGE)
    madvise(mapped, size, MADV_HUGEPAGE);
  if (region->flags & CKPT_REGION_NOHUGEPAGE)
    madvise(mapped, size, MADV_NOHUGEPAGE);
  child->nest.regions[index] = at;
  return 0;
}

/* ---- What the parent has left in it ------------------------------------------------------------------- */

static bool same_file(const struct child *a, const struct ckpt_region *in_a, const struct child *b,
                      const struct ckpt_region *in_b) {
  if (!in_a->file || !in_b->file)
    return in_a->file == in_b->file;
  const struct ckpt_file *x = &a->image->files[in_a->file - 1], *y = &b->image->files[in_b->file - 1];
  return x->dev == y->dev && x->ino == y->ino && x->flags == y->flags &&
         strcmp(image_string(a->image, x->path), image_string(b->image, y->path)) == 0 &&
         in_a->offset - in_a->start == in_b->offset - in_b->start;
}

/* The inherited ranges of a region: the index of the first, and how many. */
static uint32_t inherited_by(const struct image *image, const struct ckpt_region *region, uint32_t *first) {
  uint32_t low = 0, high = image->inherited_count, count = 0;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (image->inherited[middle].end <= region->start)
      low = middle + 1;
    else
      high = middle;
  }
  *first = low;
  while (low + count < image->inherited_count && image->inherited[low + count].start < region->end)
    count++;
  return count;
}

/* Can the region, as the parent has left it, become the child's? What it has behind the end of the parent's
 * is added to that; nothing can be added before it. */
static bool can_take(const struct child *child, const struct ckpt_region *region, const struct child *parent,
                     const struct ckpt_region *theirs) {
  uint32_t first, count = inherited_by(child->image, region, &first);
  return parent->nest.regions[theirs - parent->image->regions] && theirs->start <= region->start &&
         theirs->kind == region->kind && same_file(child, region, parent, theirs) &&
         ((theirs->flags ^ region->flags) & KEPT_FLAGS) == 0 &&
         theirs->flags >> CKPT_HUGE_SHIFT == region->flags >> CKPT_HUGE_SHIFT &&
         child->image->inherited[first + count - 1].end <= theirs->end;
}

static int drop(uint64_t at, uint64_t start, uint64_t end) {
  return start < end ? madvise((void *)(at + start), end - start, MADV_DONTNEED) : 0;
}

/* Keeps of what is at `at` what the child inherits. */
static int drop_others(const struct child *child, const struct ckpt_region *region, uint64_t at,
                       uint64_t end) {
  uint32_t first, count = inherited_by(child->image, region, &first);
  const struct ckpt_range *range = &child->image->inherited[first];
  uint64_t from = region->start;
  at -= region->start;
  for (; count; count--, from = range++->end)
    if (drop(at, from, range->start) < 0)
      return cannot(region, "clear");
  return drop(at, from, end) < 0 ? cannot(region, "clear") : 0;
}

static int take(struct child *child, uint32_t index, const struct child *parent,
                const struct ckpt_region *theirs) {
  const struct ckpt_region *region = &child->image->regions[index];
  uint64_t at = parent->nest.regions[theirs - parent->image->regions] + (region->start - theirs->start);
  uint64_t end = region->end < theirs->end ? region->end : theirs->end;
  if (drop_others(child, region, at, end) < 0)
    return -1;
  child->nest.regions[index] = at;
  if (end == region->end)
    return 0;
  uint64_t to = take_room(&child->nest, region);
  if (to == 0)
    return -1;
  void *moved = mremap((void *)at, end - region->start, region->end - region->start,
                       MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to);
  child->nest.regions[index] = to;
  return moved == (void *)to ? 0 : cannot(region, "extend");
}

/* What cannot be taken is copied. */
static void copy(struct child *child, uint32_t index, const struct child *parent) {
  const struct ckpt_region *region = &child->image->regions[index];
  uint32_t first, count = inherited_by(child->image, region, &first);
  for (uint32_t i = first; i < first + count; i++) {
    const struct ckpt_range *range = &child->image->inherited[i];
    for (uint64_t at = range->start, until; at < range->end; at = until) {
      const struct ckpt_region *theirs = image_region_at(parent->image, at);
      until = theirs->end < range->end ? theirs->end : range->end;
      memcpy((void *)(child->nest.regions[index] + (at - region->start)),
             (void *)(parent->nest.regions[theirs - parent->image->regions] + (at - theirs->start)),
             until - at);
    }
  }
}

/* What of the parent's is left, nobody needs. */
static int clear_rest(const struct child *child, const struct child *parent) {
  const struct image *image = child->image, *of_parent = parent->image;
  uint32_t next = 0;
  for (uint32_t i = 0; i < of_parent->regions_count; i++) {
    const struct ckpt_region *theirs = &of_parent->regions[i];
    uint64_t at = parent->nest.regions[i], from = theirs->start;
    for (; at && from < theirs->end; next++) {
      while (next < image->regions_count && image->regions[next].end <= from)
        next++;
      const struct ckpt_region *region = next < image->regions_count ? &image->regions[next] : NULL;
      bool follows = region && region->start < theirs->end;
      uint64_t to = follows ? region->start : theirs->end;
      if (to > from && munmap((void *)(at + (from - theirs->start)), to - from) < 0)
        return cannot(theirs, "let go of");
      if (!follows)
        break;
      uint64_t start = region->start > from ? region->start : from;
      bool taken = child->nest.regions[next] == at + (region->start - theirs->start);
      uint64_t end = region->end < theirs->end ? region->end : theirs->end;
      if (!taken && munmap((void *)(at + (start - theirs->start)), end - start) < 0)
        return cannot(theirs, "let go of");
      from = end;
      if (region->end > theirs->end)
        break;
    }
  }
  return 0;
}

/* ---- All of it ---------------------------------------------------------------------------------------- */

/* The parent's region that the child's can be made of: null if none. */
static const struct ckpt_region *source_of(const struct child *child, const struct ckpt_region *region,
                                           const struct child *parent) {
  const struct ckpt_region *theirs = image_region_at(parent->image, region->start);
  return theirs && can_take(child, region, parent, theirs) ? theirs : NULL;
}

static bool has_pages(const struct image *image, const struct ckpt_region *region) {
  uint32_t low = 0, high = image->runs_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (image->runs[middle].address < region->start)
      low = middle + 1;
    else
      high = middle;
  }
  return low < image->runs_count && image->runs[low].address < region->end;
}

static int fill_region(struct child *child, uint32_t index, const struct child *parent, bool own_too) {
  const struct image *image = child->image;
  const struct ckpt_region *region = &image->regions[index];
  uint32_t first, count = inherited_by(image, region, &first);
  if (!image_may_inherit(region) || (count == 0 && !(own_too && has_pages(image, region))))
    return 0;
  const struct ckpt_region *theirs = count ? source_of(child, region, parent) : NULL;
  if (theirs)
    return take(child, index, parent, theirs);
  if (map_region(child, index) < 0)
    return -1;
  if (count)
    copy(child, index, parent);
  return 0;
}

/* An orphan shares nothing with whoever bears it. */
static int clear_nest(struct child *child) {
  const struct nest *nest = &job_bearer(child)->nest;
  if (nest->next > nest->start && munmap((void *)nest->start, nest->next - nest->start) < 0)
    return say_problem("cannot let go of the memory of another process: %s", strerror(errno));
  child->nest = (struct nest){.start = nest->start, .next = nest->start, .end = nest->end};
  return 0;
}

int nest_fill(struct child *child) {
  const struct child *parent = job_parent(child);
  const struct image *image = child->image;
  bool heirs = has_heirs(child);
  if (parent)
    child->nest = parent->nest;
  else if (job_bearer(child) && clear_nest(child) < 0)
    return -1;
  if (child->nest.start == 0)
    return 0;
  child->nest.regions = calloc(image->regions_count + 1ul, sizeof *child->nest.regions);
  child->nest.filled = false;
  if (!child->nest.regions)
    return say_problem("not enough memory");
  for (uint32_t i = 0; i < image->regions_count; i++)
    if (fill_region(child, i, parent, heirs) < 0)
      return -1;
  if (parent && clear_rest(child, parent) < 0)
    return -1;
  return heirs ? nest_read(child) : 0;
}
