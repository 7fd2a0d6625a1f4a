/* The memory map, from /proc/self/smaps: its lines are those of maps, with the flags that maps leaves out. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "regions.h"

static const struct {
  char word[3];
  uint32_t flag;
} vm_flags[] = {
    {"gd", CKPT_REGION_GROWSDOWN}, {"nr", CKPT_REGION_NORESERVE},  {"lo", CKPT_REGION_LOCKED},
    {"hg", CKPT_REGION_HUGEPAGE},  {"nh", CKPT_REGION_NOHUGEPAGE}, {"dc", CKPT_REGION_DONTFORK},
    {"dd", CKPT_REGION_DONTDUMP},  {"wf", CKPT_REGION_WIPEONFORK}, {"mg", CKPT_REGION_MERGEABLE},
    {"rr", CKPT_REGION_RANDOM},    {"sr", CKPT_REGION_SEQUENTIAL}, {"lf", CKPT_REGION_ON_FAULT},
    {"sl", CKPT_REGION_SEALED},    {"ht", CKPT_REGION_HUGETLB},    {"dp", CKPT_REGION_DROPPABLE},
};

static uint32_t translate_flags(const char *words) {
  uint32_t flags = 0;
  for (size_t i = 0; i < sizeof vm_flags / sizeof vm_flags[0]; i++)
    if (proc_has_flag(words, vm_flags[i].word))
      flags |= vm_flags[i].flag;
  return flags;
}

long refuse_region(struct reading *r, const char *what) {
  return fail(r->c, -EOPNOTSUPP, "memory at %x-%x (%s) is %s, which cannot be saved yet", r->map.start,
              r->map.end, r->name[0] ? r->name : "anonymous", what);
}

long add_region(struct reading *r, const struct ckpt_region *region, enum source source) {
  const struct arena *arena = &r->c->arena;
  struct ckpt_range pieces[2] = {{region->start, region->end}, {0, 0}};
  if (region->start < arena->end && region->end > arena->start) {
    pieces[0].end = arena->start;
    pieces[1] = (struct ckpt_range){arena->end, region->end};
  }
  for (int i = 0; i < 2; i++) {
    if (pieces[i].start >= pieces[i].end)
      continue;
    struct ckpt_region *entry = list_add(&r->c->arena, &r->c->regions, sizeof *entry);
    uint8_t *from = list_add(&r->c->arena, &r->c->sources, 1);
    if (!entry || !from)
      return -ENOMEM;
    *entry = *region;
    entry->start = pieces[i].start;
    entry->end = pieces[i].end;
    entry->offset =
        region->kind == CKPT_REGION_ANONYMOUS ? 0 : region->offset + pieces[i].start - region->start;
    *from = (uint8_t)source;
  }
  return 0;
}

long add_anonymous(struct reading *r, struct ckpt_region *region, enum source source) {
  region->kind = CKPT_REGION_ANONYMOUS;
  if (text_equal(r->name, "[stack]"))
    region->flags |= CKPT_REGION_STACK;
  if (text_equal(r->name, "[heap]"))
    region->flags |= CKPT_REGION_HEAP;
  return add_region(r, region, source);
}

/* In the machine's memory and nowhere else. */
static bool is_in_memory(const struct statfs *fs) {
  return fs->f_type == TMPFS_MAGIC || fs->f_type == HUGETLBFS_MAGIC;
}

static long add_over_file(struct reading *r, struct ckpt_region *region, const struct stat *st,
                          bool may_write) {
  bool writes = r->map.shared && may_write;
  struct statfs fs = {0};
  sys(SYS_(statfs), r->name, &fs);
  /* A program or a library, most of the time, which may be another when the image is restarted. */
  if (!r->map.shared && file_is_asked_for(r->c, r->name) && !find_open(r))
    return add_anonymous(r, region, SOURCE_EXISTING);
  uint32_t flags = CKPT_FILE_MAPPED | (writes ? CKPT_FILE_WRITTEN : 0u) |
                   (writes && region->prot & PROT_WRITE && is_in_memory(&fs) ? CKPT_FILE_SHM : 0u);
  long file = add_file(r->c, st, r->name, flags);
  if (file < 0)
    return file;
  note_huge_pages(r->c, file, &fs);
  region->file = (uint32_t)file;
  region->kind = r->map.shared ? CKPT_REGION_FILE_SHARED : CKPT_REGION_FILE;
  return add_region(r, region, r->map.shared ? SOURCE_NONE : SOURCE_CHANGED);
}

/* Where the linker puts libckpt.so itself. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

static bool is_libckpt(const struct ckpt_region *region) {
  return region->start < (uint64_t)_end && region->end > (uint64_t)__ehdr_start;
}

static long add_named(struct reading *r, struct ckpt_region *region, const char *words) {
  struct stat st;
  /* Images must outlive an upgrade of the library that wrote them. */
  if (is_libckpt(region))
    return add_anonymous(r, region, SOURCE_EXISTING);
  bool there = sys(SYS_(newfstatat), AT_FDCWD, r->name, &st, 0) == 0 && st.st_ino == r->map.ino;
  if (!there && r->map.shared && !find_open(r))
    there = find_other_name(r, &st);
  if (there && S_ISREG(st.st_mode))
    return add_over_file(r, region, &st, proc_has_flag(words, "mw"));
  if (there && !r->map.shared && text_equal(r->name, "/dev/zero"))
    return add_anonymous(r, region, SOURCE_POPULATED);
  if (text_starts(r->name, "/SYSV"))
    return add_segment(r, region);
  if (text_starts(r->name, "/[aio]"))
    return add_queue(r, region);
  if (there)
    return refuse_region(r, "a device");
  if (text_equal(r->name, "/secretmem (deleted)"))
    return refuse_region(r, "secret memory");
  return add_nameless(r, region, words);
}

/* The arena is the newest mapping. */
static uint32_t lock_future(const struct ckpt_region *region) {
  if (!(region->flags & CKPT_REGION_LOCKED))
    return 0;
  return MCL_FUTURE | (region->flags & CKPT_REGION_ON_FAULT ? MCL_ONFAULT : 0);
}

/* Older kernels show no "lf": but what is locked at once is there. */
static bool is_locked_on_fault(const struct reading *r, const struct ckpt_region *region) {
  return region->flags & CKPT_REGION_LOCKED && !(region->flags & CKPT_REGION_HUGETLB) && region->prot &&
         r->resident * 1024 < region->end - region->start;
}

static long add_mapping(struct reading *r, const char *words) {
  struct ckpt_region region = {
      .start = r->map.start,
      .end = r->map.end,
      .offset = r->map.offset,
      .prot = r->map.prot,
      .flags = translate_flags(words),
  };
  if (text_equal(r->name, "[vsyscall]"))
    return 0;
  if (region.flags & CKPT_REGION_HUGETLB)
    region.flags |= (10u + (uint32_t)__builtin_ctzll(r->page_size)) << CKPT_HUGE_SHIFT;
  if (is_locked_on_fault(r, &region))
    region.flags |= CKPT_REGION_ON_FAULT;
  if (region.start <= r->c->arena.start && region.end > r->c->arena.start)
    r->c->process.lock_future = lock_future(&region);
  if (text_equal(r->name, "[vdso]")) {
    region.kind = CKPT_REGION_VDSO;
    return add_region(r, &region, SOURCE_WHOLE);
  }
  if (text_equal(r->name, "[vvar]") || text_equal(r->name, "[vvar_vclock]")) {
    region.kind = CKPT_REGION_VVAR;
    return add_region(r, &region, SOURCE_NONE);
  }
  if (proc_has_flag(words, "um") || proc_has_flag(words, "uw") || proc_has_flag(words, "ui"))
    return refuse_region(r, "watched by userfaultfd");
  if (proc_has_flag(words, "ss"))
    return refuse_region(r, "a shadow stack");
  /* The kernel's own key for what may only be executed comes back with that protection. */
  if (r->protection_key < CKPT_KEYS && r->c->process.keys >> r->protection_key & 1)
    region.flags |= (uint32_t)r->protection_key << CKPT_KEY_SHIFT;
  else if (r->protection_key && region.prot != PROT_EXEC)
    return refuse_region(r, "under a protection key that nobody has asked for");
  if (r->name[0] == '/')
    return add_named(r, &region, words);
  if (proc_has_flag(words, "pf") || proc_has_flag(words, "io"))
    return refuse_region(r, "a device's memory");
  if (r->map.shared || (r->name[0] && r->name[0] != '['))
    return refuse_region(r, "of a kind that is not known");
  /* What may be gone at any time is gone: random numbers that begin in such memory are not to come twice. */
  if (region.flags & CKPT_REGION_DROPPABLE)
    return add_anonymous(r, &region, SOURCE_NONE);
  if (!r->resident && !r->swapped)
    return add_anonymous(r, &region, SOURCE_EMPTY);
  return add_anonymous(r, &region, r->no_swap ? SOURCE_AT_HAND : SOURCE_POPULATED);
}

static bool has_no_swap(void) {
  struct sysinfo info;
  return sys(SYS_(sysinfo), &info) == 0 && info.totalswap == 0;
}

/* A page that went to swap since it was counted is not among those that mincore has found. */
long check_swap(struct checkpoint *c) {
  enum { BUFFER = 64 << 10 };
  struct proc_lines lines;
  struct reading *r = arena_take(&c->arena, sizeof *r);
  char *buffer = arena_take(&c->arena, BUFFER);
  const struct ckpt_region *region = c->regions.entries, *end = region + c->regions.count;
  const uint8_t *sources = c->sources.entries;
  if (has_no_swap())
    return 0;
  if (!r || !buffer)
    return -ENOMEM;
  long result = proc_lines_open(&lines, "/proc/thread-self/smaps", buffer, BUFFER);
  if (result < 0)
    return fail(c, result, "/proc/self/smaps: %s", text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));) {
    proc_parse_map(line, &r->map);
    if (!text_starts(line, "Swap:") || !proc_field(line, "Swap", 10, &r->swapped) || !r->swapped)
      continue;
    while (region < end && region->start < r->map.start)
      region++;
    enum source source =
        region < end ? sources[region - (struct ckpt_region *)c->regions.entries] : SOURCE_NONE;
    if (region < end && region->start == r->map.start && (source == SOURCE_RESIDENT || source == SOURCE_HELD))
      result = fail(c, -EAGAIN, "shared memory at %x has just been swapped out: try again", r->map.start);
  }
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result;
}

long describe_regions(struct checkpoint *c) {
  enum { BUFFER = 64 << 10 };
  struct proc_lines lines;
  struct reading *r = arena_take(&c->arena, sizeof *r);
  char *buffer = arena_take(&c->arena, BUFFER);
  if (!r || !buffer)
    return -ENOMEM;
  r->c = c;
  r->no_swap = has_no_swap();
  long result = proc_lines_open(&lines, "/proc/thread-self/smaps", buffer, BUFFER);
  if (result < 0)
    return fail(c, result, "/proc/self/smaps: %s", text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));) {
    if (text_starts(line, "VmFlags:")) {
      result = add_mapping(r, line + strlen("VmFlags:"));
    } else if (text_starts(line, "ProtectionKey:")) {
      proc_field(line, "ProtectionKey", 10, &r->protection_key);
    } else if (text_starts(line, "KernelPageSize:")) {
      proc_field(line, "KernelPageSize", 10, &r->page_size);
    } else if (text_starts(line, "Rss:")) {
      proc_field(line, "Rss", 10, &r->resident);
    } else if (text_starts(line, "Swap:")) {
      proc_field(line, "Swap", 10, &r->swapped);
    } else if (proc_parse_map(line, &r->map)) {
      text_copy(r->name, sizeof r->name, r->map.name);
      r->protection_key = 0;
    }
  }
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result < 0 ? fail(c, result, "/proc/self/smaps: %s", text_errno(result)) : 0;
}
