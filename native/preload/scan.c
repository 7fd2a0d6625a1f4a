/* Which pages hold something: PAGEMAP_SCAN (Linux 6.7), else /proc/self/pagemap. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "core/sys.h"
#include "core/text.h"
#include "pages.h"

/* Newer than the headers that this may be built with. */
struct page_region_ {
  uint64_t start, end, categories;
};
struct pm_scan_arg_ {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_ _IOWR('f', 16, struct pm_scan_arg_)
enum { IS_FILE = 1 << 2, IS_PRESENT = 1 << 3, IS_SWAPPED = 1 << 4, IS_ZERO = 1 << 5, IS_GUARD = 1 << 8 };

static long scan_ioctl(const struct scan *scan, enum source source, uint64_t start, uint64_t end,
                       uint64_t *walked, struct page_region_ *found) {
  struct pm_scan_arg_ arg = {
      .size = sizeof arg,
      .start = start,
      .end = end,
      .vec = (uint64_t)found,
      .vec_len = SCAN_BATCH,
      .category_anyof_mask = IS_PRESENT | IS_SWAPPED | scan->guard_category,
      .category_mask = IS_ZERO | (source == SOURCE_CHANGED ? IS_FILE : 0),
      .return_mask = IS_PRESENT | scan->guard_category,
  };
  arg.category_inverted = arg.category_mask;
  long result = sys(SYS_(ioctl), scan->pagemap, PAGEMAP_SCAN_, &arg);
  *walked = arg.walk_end;
  return result;
}

long scan_open(struct scan *scan, struct checkpoint *c) {
  *scan = (struct scan){.c = c, .guard_category = IS_GUARD};
  scan->buffer = arena_take(&c->arena, SCAN_BATCH * sizeof(struct page_region_));
  scan->ahead = arena_take(&c->arena, LOOKED_AHEAD);
  scan->own.entries = arena_take(&c->arena, ENTRIES_AHEAD * sizeof *scan->own.entries);
  if (!scan->buffer || !scan->ahead || !scan->own.entries)
    return -ENOMEM;
  long fd = sys(SYS_(openat), AT_FDCWD, "/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail(c, fd, "/proc/self/pagemap: %s", text_errno(fd));
  scan->pagemap = scan->own.pagemap = (int)fd;
  if (ckpt_state.force_pagemap)
    return 0;
  uint64_t walked;
  struct page_region_ *found = (struct page_region_ *)scan->buffer;
  long result = scan_ioctl(scan, SOURCE_POPULATED, CKPT_PAGE, 2 * CKPT_PAGE, &walked, found);
  if (result == -EINVAL) {
    scan->guard_category = 0;
    result = scan_ioctl(scan, SOURCE_POPULATED, CKPT_PAGE, 2 * CKPT_PAGE, &walked, found);
  }
  scan->ioctl_works = result >= 0;
  return 0;
}

void scan_close(const struct scan *scan) {
  sys(SYS_(close), scan->pagemap);
}

uint64_t scan_entry(struct entries *e, uint64_t address, uint64_t end) {
  if (address < e->start || address >= e->end) {
    uint64_t pages = (end - address) / CKPT_PAGE;
    size_t size = (pages < ENTRIES_AHEAD ? pages : ENTRIES_AHEAD) * sizeof *e->entries;
    long n = sys_pread_full(e->pagemap, e->entries, size, address / CKPT_PAGE * sizeof *e->entries);
    e->start = address;
    e->end = address + (n > 0 ? (uint64_t)n / sizeof *e->entries * CKPT_PAGE : 0);
  }
  return address < e->end ? e->entries[(address - e->start) / CKPT_PAGE] : 0;
}

static long next_by_ioctl(struct scan *scan, enum source source, uint64_t *at, uint64_t end,
                          struct range *ranges) {
  struct page_region_ *found = (struct page_region_ *)scan->buffer;
  uint64_t walked;
  long count = scan_ioctl(scan, source, *at, end, &walked, found);
  if (count < 0)
    return count;
  for (long i = 0; i < count; i++) {
    uint64_t categories = found[i].categories;
    ranges[i] = (struct range){found[i].start, found[i].end,
                               categories & IS_GUARD     ? RANGE_GUARD
                               : categories & IS_PRESENT ? RANGE_PRESENT
                                                         : RANGE_AWAY};
  }
  *at = count == SCAN_BATCH ? walked : end;
  return count;
}

static bool entry_holds(uint64_t entry, enum source source, enum range_kind *kind) {
  if (source == SOURCE_CHANGED && (entry & ENTRY_FILE))
    return false;
  *kind = entry & ENTRY_GUARD ? RANGE_GUARD : entry & ENTRY_PRESENT ? RANGE_PRESENT : RANGE_AWAY;
  return entry & (ENTRY_PRESENT | ENTRY_SWAPPED | ENTRY_GUARD);
}

/* The first byte at or behind `i` that is not zero, or `count`. */
static uint64_t next_set(const uint8_t *bytes, uint64_t i, uint64_t count) {
  while (i < count && i % 8 && !bytes[i])
    i++;
  while (i % 8 == 0 && i + 8 <= count && *(const uint64_t *)(bytes + i) == 0)
    i += 8;
  while (i < count && !bytes[i])
    i++;
  return i;
}

/* To the next page that is there, or a guard: an entry for each page of a reservation of terabytes would take
 * minutes, a byte takes seconds. */
static long skip_absent(struct scan *scan, uint64_t *at, uint64_t end) {
  while (*at < end) {
    if (*at < scan->ahead_start || *at >= scan->ahead_end) {
      uint64_t size = end - *at < LOOKED_AHEAD * CKPT_PAGE ? end - *at : LOOKED_AHEAD * CKPT_PAGE;
      long result = sys(SYS_(mincore), *at, size, scan->ahead);
      if (result < 0)
        return result;
      scan->ahead_start = *at;
      scan->ahead_end = *at + size;
    }
    uint64_t count = (scan->ahead_end - scan->ahead_start) / CKPT_PAGE;
    uint64_t i = next_set(scan->ahead, (*at - scan->ahead_start) / CKPT_PAGE, count);
    *at = scan->ahead_start + i * CKPT_PAGE;
    if (i < count)
      return 0;
  }
  return 0;
}

static long next_by_entries(struct scan *scan, enum source source, uint64_t *at, uint64_t end,
                            struct range *ranges) {
  uint64_t *entries = (uint64_t *)scan->buffer;
  long count = 0;
  while (*at < end && count == 0) {
    long skipped = source == SOURCE_AT_HAND ? skip_absent(scan, at, end) : 0;
    if (skipped < 0)
      return skipped;
    uint64_t pages = (end - *at) / CKPT_PAGE;
    if (pages > SCAN_BATCH)
      pages = SCAN_BATCH;
    long n = sys_pread_full(scan->pagemap, entries, pages * 8, *at / CKPT_PAGE * 8);
    if (n != (long)(pages * 8))
      return n < 0 ? n : -EIO;
    for (uint64_t i = 0; i < pages; i++, *at += CKPT_PAGE) {
      enum range_kind kind;
      if (!entry_holds(entries[i], source, &kind))
        continue;
      struct range *last = &ranges[count - 1];
      if (count && last->end == *at && last->kind == kind)
        last->end += CKPT_PAGE;
      else
        ranges[count++] = (struct range){*at, *at + CKPT_PAGE, kind};
    }
  }
  return count;
}

/* Shared memory exists whether this process has touched it or not: mincore knows. */
static long next_by_mincore(uint64_t *at, uint64_t end, struct range *ranges) {
  uint8_t resident[SCAN_BATCH];
  long count = 0;
  while (*at < end && count == 0) {
    uint64_t pages = (end - *at) / CKPT_PAGE;
    if (pages > SCAN_BATCH)
      pages = SCAN_BATCH;
    long result = sys(SYS_(mincore), *at, pages * CKPT_PAGE, resident);
    if (result < 0)
      return result;
    for (uint64_t i = 0; i < pages; i++, *at += CKPT_PAGE)
      if (resident[i] & 1)
        ranges[count++] = (struct range){*at, *at + CKPT_PAGE, RANGE_PRESENT};
  }
  return count;
}

long scan_next(struct scan *scan, enum source source, uint64_t *at, uint64_t end, struct range *ranges) {
  if (*at >= end)
    return 0;
  if (source == SOURCE_RESIDENT || source == SOURCE_HELD)
    return next_by_mincore(at, end, ranges);
  if (source == SOURCE_WHOLE || source == SOURCE_EXISTING) {
    ranges[0] = (struct range){*at, end, RANGE_PRESENT};
    *at = end;
    return 1;
  }
  /* An entry for each page of a reservation of terabytes would take a minute. */
  if (source == SOURCE_EMPTY && !scan->ioctl_works) {
    *at = end;
    return 0;
  }
  return scan->ioctl_works ? next_by_ioctl(scan, source, at, end, ranges)
                           : next_by_entries(scan, source, at, end, ranges);
}
