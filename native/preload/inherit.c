/* Which pages the parent's core will have: see inherit.h. */
#include "inherit.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/sys.h"

enum { READ_AHEAD = 16 /* pages that are read together */ };

bool may_inherit(const struct ckpt_region *region, enum source source) {
  bool has_own = source == SOURCE_POPULATED || source == SOURCE_AT_HAND || source == SOURCE_CHANGED ||
                 source == SOURCE_EXISTING;
  return has_own && (region->kind == CKPT_REGION_ANONYMOUS || region->kind == CKPT_REGION_FILE) &&
         !(region->flags & CKPT_REGION_HUGETLB) && region->end - region->start <= CKPT_INHERIT_MOST;
}

/* It comes from another process. */
static bool makes_sense(const struct offer *offers, size_t count) {
  uint64_t last = 0;
  for (size_t i = 0; i < count; i++) {
    if (offers[i].start % CKPT_PAGE || offers[i].end % CKPT_PAGE || offers[i].start < last ||
        offers[i].end <= offers[i].start)
      return false;
    last = offers[i].end;
  }
  return true;
}

long inherit_begin(struct inheriting *inheriting, struct checkpoint *c, struct entries *ours) {
  enum { MOST = 1 << 20 };
  *inheriting =
      (struct inheriting){.memory = c->parent.memory, .ours = ours, .theirs = {.pagemap = c->parent.pagemap}};
  size_t count = c->parent.count, size = count * sizeof(struct offer);
  if (count == 0 || count > MOST)
    return 0;
  inheriting->offers = arena_take(&c->arena, size);
  inheriting->theirs.entries = arena_take(&c->arena, ENTRIES_AHEAD * sizeof(uint64_t));
  inheriting->bytes = arena_take(&c->arena, READ_AHEAD * CKPT_PAGE);
  if (!inheriting->offers || !inheriting->theirs.entries || !inheriting->bytes)
    return -ENOMEM;
  if (sys_pread_full(c->parent.memory, inheriting->offers, size, c->parent.list) == (long)size &&
      makes_sense(inheriting->offers, count))
    inheriting->count = count;
  return 0;
}

static const struct offer *offer_of(struct inheriting *in, uint64_t address) {
  while (in->next < in->count && in->offers[in->next].end <= address)
    in->next++;
  const struct offer *offer = &in->offers[in->next];
  return in->next < in->count && offer->start <= address ? offer : NULL;
}

enum likeness { OTHER, PERHAPS, SAME };

/* What the entries tell. Of a file's page that a process has not touched there is none; that of a large page
 * in parts is shared where the frame is the same. */
static enum likeness compare_entries(struct inheriting *in, uint64_t address, uint64_t end,
                                     enum source source) {
  uint64_t theirs = scan_entry(&in->theirs, address, end), ours = scan_entry(in->ours, address, end);
  bool both = ours & theirs & ENTRY_PRESENT;
  if (source == SOURCE_CHANGED && theirs & ENTRY_FILE)
    return OTHER;
  if (both && ours & ENTRY_FRAME && (ours & ENTRY_FRAME) == (theirs & ENTRY_FRAME))
    return SAME;
  if (source == SOURCE_EXISTING)
    return PERHAPS;
  if (!(theirs & (ENTRY_PRESENT | ENTRY_SWAPPED)) || (both && (ours ^ theirs) & ENTRY_FRAME))
    return OTHER;
  return (ours & ENTRY_PRESENT && ours & ENTRY_EXCLUSIVE) ||
                 (theirs & ENTRY_PRESENT && theirs & ENTRY_EXCLUSIVE)
             ? OTHER
             : PERHAPS;
}

/* What nobody has touched is not read: that would touch it. */
static bool read_theirs(struct inheriting *in, uint64_t address, uint64_t end, enum source source) {
  uint64_t pages = 1;
  if (address >= in->start && address < in->end)
    return true;
  while (pages < READ_AHEAD && address + pages * CKPT_PAGE < end &&
         compare_entries(in, address + pages * CKPT_PAGE, end, source) == PERHAPS)
    pages++;
  long n = sys_pread_full(in->memory, in->bytes, pages * CKPT_PAGE, address);
  in->start = address;
  in->end = address + (n > 0 ? (uint64_t)n / CKPT_PAGE * CKPT_PAGE : 0);
  return address < in->end;
}

static bool is_same(const void *a, const void *b) {
  const uint64_t *x = a, *y = b;
  for (size_t i = 0; i < CKPT_PAGE / sizeof *x; i++)
    if (x[i] != y[i])
      return false;
  return true;
}

bool is_inherited(struct inheriting *in, uint64_t address, const void *page, enum source source) {
  const struct offer *offer = in->count ? offer_of(in, address) : NULL;
  if (!offer || (source == SOURCE_CHANGED) != (offer->kind == OFFER_CHANGED))
    return false;
  enum likeness likeness = compare_entries(in, address, offer->end, source);
  return likeness == SAME || (likeness == PERHAPS && read_theirs(in, address, offer->end, source) &&
                              is_same(page, in->bytes + (address - in->start)));
}
