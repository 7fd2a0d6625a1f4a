/* Memory that the program does not want saved. */
#include <errno.h>

#include "part.h"
#include "state.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int ckpt_exclude(void *address, size_t length);
EXPORT int ckpt_include(void *address, size_t length);

static bool add(struct part_table *table, struct ckpt_range range) {
  if (table->excluded_count == EXCLUDED_MOST)
    return false;
  table->excluded[table->excluded_count++] = range;
  return true;
}

/* Where it begins to touch or pass what is there, the two become one. */
static bool exclude(const struct part_table *from, struct part_table *to, struct ckpt_range range) {
  uint32_t i = 0;
  bool fits = true;
  to->excluded_count = 0;
  for (; i < from->excluded_count && from->excluded[i].end < range.start; i++)
    fits = fits && add(to, from->excluded[i]);
  for (; i < from->excluded_count && from->excluded[i].start <= range.end; i++) {
    if (from->excluded[i].start < range.start)
      range.start = from->excluded[i].start;
    if (from->excluded[i].end > range.end)
      range.end = from->excluded[i].end;
  }
  fits = fits && add(to, range);
  for (; i < from->excluded_count; i++)
    fits = fits && add(to, from->excluded[i]);
  return fits;
}

static bool include(const struct part_table *from, struct part_table *to, struct ckpt_range range) {
  bool fits = true;
  to->excluded_count = 0;
  for (uint32_t i = 0; i < from->excluded_count; i++) {
    struct ckpt_range left = from->excluded[i], right = left;
    if (left.end > range.start)
      left.end = range.start;
    if (right.start < range.end)
      right.start = range.end;
    if (left.start < left.end)
      fits = fits && add(to, left);
    if (right.start < right.end)
      fits = fits && add(to, right);
  }
  return fits;
}

static int change(bool (*how)(const struct part_table *, struct part_table *, struct ckpt_range),
                  struct ckpt_range range) {
  struct part_table *table = part_change_begin();
  if (!table)
    return -EDEADLK;
  const struct part *part = &ckpt_state.part;
  bool fits = how(&part->table[part->generation & 1], table, range);
  part_change_end(fits);
  return fits ? 0 : -ENOSPC;
}

/* Pages that lie in it with their last byte. */
int ckpt_exclude(void *address, size_t length) {
  uint64_t start = (uint64_t)address, end;
  if (__builtin_add_overflow(start, length, &end) || start > UINT64_MAX - CKPT_PAGE)
    return -EINVAL;
  struct ckpt_range inner = {(start + CKPT_PAGE - 1) / CKPT_PAGE * CKPT_PAGE, end / CKPT_PAGE * CKPT_PAGE};
  return inner.start < inner.end ? change(exclude, inner) : 0;
}

/* Pages that have one byte in it. */
int ckpt_include(void *address, size_t length) {
  uint64_t start = (uint64_t)address, end;
  if (__builtin_add_overflow(start, length, &end) || end > UINT64_MAX - CKPT_PAGE)
    return -EINVAL;
  struct ckpt_range outer = {start / CKPT_PAGE * CKPT_PAGE, (end + CKPT_PAGE - 1) / CKPT_PAGE * CKPT_PAGE};
  return length ? change(include, outer) : 0;
}

bool is_excluded(uint64_t address, uint64_t *until) {
  const struct part *part = &ckpt_state.part;
  const struct part_table *table = &part->table[part->generation & 1];
  for (uint32_t i = 0; i < table->excluded_count; i++) {
    const struct ckpt_range *range = &table->excluded[i];
    if (address < range->end) {
      *until = address < range->start ? range->start : range->end;
      return address >= range->start;
    }
  }
  *until = UINT64_MAX;
  return false;
}
