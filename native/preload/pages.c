/* Memory into the file: packed, page by page, without pages of zeros, a checksum for each chunk. */
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "core/checksum.h"
#include "core/sys.h"
#include "core/text.h"
#include "inherit.h"
#include "output.h"

enum { PROGRESS_BYTES = 64 << 20 /* between two reports */ };

struct filling {
  struct checkpoint *c;
  struct scan scan;
  struct output output;
  struct slot *slot; /* the chunk that is being filled, or null */
  size_t bounced;    /* pages in its bounce buffer */
  struct range ranges[SCAN_BATCH];
  uint64_t region_start; /* a run never spans two regions */
  struct inheriting inheriting;
  enum source inherits; /* the region's source, when its pages may be the parent's; else SOURCE_NONE */
  uint64_t reported, expected;
};

static bool is_zero(const void *page) {
  const uint64_t *words = page;
  for (size_t i = 0; i < CKPT_PAGE / 8; i += 8)
    if (words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] | words[i + 5] | words[i + 6] |
        words[i + 7])
      return false;
  return true;
}

/* A page that is not in the image comes back as zeros, but over a file as what the file has there. */
static bool may_skip(enum source source) {
  return source != SOURCE_CHANGED;
}

/* Behind the end of a file, where an access would kill. */
static bool may_be_missing(enum source source) {
  return source == SOURCE_EXISTING || source == SOURCE_HELD;
}

static long written(struct checkpoint *c, long result) {
  return result < 0 ? fail(c, result, "%s/%s: %s", c->job_dir, c->temp_name, text_errno(result)) : 0;
}

static long flush(struct filling *filling) {
  struct checkpoint *c = filling->c;
  struct slot *slot = filling->slot;
  filling->slot = NULL;
  if (!slot || slot->size == 0)
    return 0;
  uint32_t *sum = list_add(&c->arena, &c->checksums, sizeof *sum);
  if (!sum)
    return -ENOMEM;
  *sum = CKPT_CHECKSUM_START;
  for (size_t i = 0; i < slot->part_count; i++)
    *sum = ckpt_checksum(*sum, slot->parts[i].iov_base, slot->parts[i].iov_len);
  long result = written(c, output_submit(&filling->output, slot, CKPT_PAGE + c->data_size));
  c->data_size += slot->size;
  if (c->data_size - filling->reported >= PROGRESS_BYTES) {
    report_progress(c, c->data_size, filling->expected);
    filling->reported = c->data_size;
  }
  return result;
}

static long need_slot(struct filling *filling) {
  long result = 0;
  if (!filling->slot) {
    filling->slot = output_slot(&filling->output, &result);
    filling->bounced = 0;
  }
  return written(filling->c, result);
}

/* The page that the program has at `address`, whose bytes are at `from` now. */
static long add_page(struct filling *filling, uint64_t address, char *from) {
  struct checkpoint *c = filling->c;
  long result = need_slot(filling);
  if (result < 0)
    return result;
  struct slot *slot = filling->slot;
  struct run *last = (struct run *)c->runs.entries + c->runs.count - 1;
  if (c->runs.count && last->start + last->size == address && address != filling->region_start) {
    last->size += CKPT_PAGE;
  } else {
    struct run *run = list_add(&c->arena, &c->runs, sizeof *run);
    if (!run)
      return fail(c, -ENOMEM, "its memory is in too many pieces");
    *run = (struct run){address, CKPT_PAGE};
  }
  struct iovec *part = &slot->parts[slot->part_count - 1];
  if (slot->part_count && (char *)part->iov_base + part->iov_len == from)
    part->iov_len += CKPT_PAGE;
  else
    slot->parts[slot->part_count++] = (struct iovec){from, CKPT_PAGE};
  slot->size += CKPT_PAGE;
  return slot->size == CKPT_CHUNK ? flush(filling) : 0;
}

/* To a list of struct ckpt_range; the last one grows, when that is said to be allowed. */
static long extend(struct checkpoint *c, struct list *list, struct ckpt_range added, bool may_grow) {
  struct ckpt_range *range = (struct ckpt_range *)list->entries + list->count - 1;
  if (may_grow && list->count && range->end == added.start) {
    range->end = added.end;
    return 0;
  }
  range = list_add(&c->arena, list, sizeof *range);
  if (!range)
    return fail(c, -ENOMEM, "its memory is in too many pieces");
  *range = added;
  return 0;
}

static long add_guard(struct checkpoint *c, uint64_t start, uint64_t end) {
  return extend(c, &c->guards, (struct ckpt_range){start, end}, true);
}

static bool is_parents(struct filling *filling, uint64_t address, const void *page) {
  return filling->inherits != SOURCE_NONE &&
         is_inherited(&filling->inheriting, address, page, filling->inherits);
}

static long add_inherited(struct filling *filling, uint64_t address) {
  return extend(filling->c, &filling->c->inherited, (struct ckpt_range){address, address + CKPT_PAGE},
                address != filling->region_start);
}

/* Through /proc/self/mem, which minds no protection and fails where an access would kill. */
static long add_by_reading(struct filling *filling, uint64_t address, enum source source,
                           enum range_kind kind) {
  struct checkpoint *c = filling->c;
  long result = need_slot(filling);
  if (result < 0)
    return result;
  char *page = filling->slot->bounce + filling->bounced * CKPT_PAGE;
  long n = sys_pread_full(c->mem, page, CKPT_PAGE, address);
  if (n != CKPT_PAGE) {
    if (may_be_missing(source))
      return 0;
    if (kind == RANGE_AWAY)
      return add_guard(c, address, address + CKPT_PAGE);
    return fail(c, n < 0 ? n : -EIO, "memory at %x cannot be read: %s", address,
                text_errno(n < 0 ? n : -EIO));
  }
  if (may_skip(source) && is_zero(page))
    return 0;
  if (is_parents(filling, address, page))
    return add_inherited(filling, address);
  filling->bounced++;
  return add_page(filling, address, page);
}

/* A disk that reads a page which a fork has left shared would get a copy made for this process alone, for
 * good: the kernel ends the sharing when such a page is pinned. */
static long add_direct(struct filling *filling, uint64_t address, uint64_t end) {
  bool shared = filling->c->order && filling->output.direct &&
                !(scan_entry(&filling->scan.own, address, end) & ENTRY_EXCLUSIVE);
  long result = shared ? need_slot(filling) : 0;
  if (!shared || result < 0)
    return result < 0 ? result : add_page(filling, address, (char *)address);
  char *page = filling->slot->bounce + filling->bounced++ * CKPT_PAGE;
  memcpy(page, (const void *)address, CKPT_PAGE);
  return add_page(filling, address, page);
}

/* A guard page comes back even in memory that the program has excluded. */
static long add_if_guard(struct checkpoint *c, uint64_t address) {
  char byte;
  return sys_pread_full(c->mem, &byte, 1, address) == 1 ? 0 : add_guard(c, address, address + CKPT_PAGE);
}

static long add_range(struct filling *filling, const struct range *range, const struct ckpt_region *region,
                      enum source source) {
  if (range->kind == RANGE_GUARD)
    return add_guard(filling->c, range->start, range->end);
  uint64_t until = range->start;
  bool left_out = false, may_leave_out = source != SOURCE_EXISTING && source != SOURCE_WHOLE;
  /* The vdso is a piece of the kernel's own image, from which a disk cannot be made to read. */
  bool direct = (region->prot & PROT_READ) && range->kind == RANGE_PRESENT && !may_be_missing(source) &&
                region->kind != CKPT_REGION_VDSO;
  long result = 0;
  for (uint64_t at = range->start; at < range->end && result == 0; at += CKPT_PAGE) {
    if (at >= until)
      left_out = is_excluded(at, &until) && may_leave_out;
    if (left_out)
      result = range->kind == RANGE_AWAY ? add_if_guard(filling->c, at) : 0;
    else if (!direct)
      result = add_by_reading(filling, at, source, range->kind);
    else if (may_skip(source) && is_zero((const void *)at))
      continue;
    else if (is_parents(filling, at, (const void *)at))
      result = add_inherited(filling, at);
    else
      result = add_direct(filling, at, range->end);
  }
  return result;
}

static bool begins_elf_file(const struct checkpoint *c, const struct ckpt_region *region) {
  char magic[4];
  return region->kind == CKPT_REGION_FILE && region->offset == 0 &&
         sys_pread_full(c->mem, magic, sizeof magic, region->start) == sizeof magic &&
         memcmp(magic, "\177ELF", sizeof magic) == 0;
}

static long add_region_pages(struct filling *filling, const struct ckpt_region *region, enum source source) {
  uint64_t at = filling->region_start = region->start;
  long result = 0;
  filling->inherits = may_inherit(region, source) ? source : SOURCE_NONE;
  if (source == SOURCE_NONE)
    return 0;
  if (begins_elf_file(filling->c, region)) {
    result = add_by_reading(filling, at, source, RANGE_PRESENT);
    at += CKPT_PAGE;
  }
  while (result == 0 && at < region->end) {
    long count = scan_next(&filling->scan, source, &at, region->end, filling->ranges);
    if (count < 0)
      return fail(filling->c, count, "the pages at %x-%x cannot be listed: %s", region->start, region->end,
                  text_errno(count));
    for (long i = 0; i < count && result == 0; i++)
      result = add_range(filling, &filling->ranges[i], region, source);
  }
  return result;
}

/* Resident memory in bytes: what there is to write at the most, near enough for a progress bar. */
static uint64_t resident_bytes(void) {
  char text[128];
  const char *at = text;
  if (sys_read_file("/proc/thread-self/statm", text, sizeof text) <= 0)
    return 0;
  text_take_decimal(&at);
  text_skip_spaces(&at);
  return text_take_decimal(&at) * CKPT_PAGE;
}

static long fill(struct filling *filling) {
  struct checkpoint *c = filling->c;
  long result = scan_open(&filling->scan, c);
  if (result < 0)
    return result;
  result = inherit_begin(&filling->inheriting, c, &filling->scan.own);
  const struct ckpt_region *regions = c->regions.entries;
  const uint8_t *sources = c->sources.entries;
  for (size_t i = 0; i < c->regions.count && result == 0; i++)
    result = add_region_pages(filling, &regions[i], (enum source)sources[i]);
  scan_close(&filling->scan);
  return result == 0 ? flush(filling) : result;
}

long write_pages(struct checkpoint *c) {
  struct filling *filling = arena_take(&c->arena, sizeof *filling);
  if (!filling)
    return -ENOMEM;
  filling->c = c;
  filling->expected = resident_bytes();
  long mem = sys(SYS_(openat), AT_FDCWD, "/proc/thread-self/mem", O_RDONLY | O_CLOEXEC);
  if (mem < 0)
    return fail(c, mem, "/proc/thread-self/mem: %s", text_errno(mem));
  c->mem = (int)mem;
  long result = output_begin(&filling->output, c, filling->expected);
  if (result < 0)
    return result;
  result = fill(filling);
  long ended = written(c, output_end(&filling->output));
  return result < 0 ? result : ended;
}
