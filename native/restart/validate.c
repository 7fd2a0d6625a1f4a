/* Do the notes make sense? Every number that restart or the restorer acts on is looked at here, once. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "format/control.h"
#include "image.h"

enum { SIGNALS = 64, VDSO_MOST = 256 << 10, GROUPS_MOST = 65536 };

/* Of a clock, in ns: a century since the boot. What the kernel takes is more. */
#define CLOCK_MOST (100ll * 366 * 86400 * 1000000000)

/* The end of user memory with four and with five levels of page tables. */
#define USER_END_57 0xfffffffffff000ull

static int damaged(struct image *image, const char *what, uint64_t index) {
  return image_refuse(image, "damaged: %s %llu makes no sense", what, (unsigned long long)index);
}

static bool string_ok(const struct image *image, ckpt_string offset) {
  return offset < image->strings_size;
}

static bool file_ok(const struct image *image, uint32_t file) {
  return file <= image->files_count;
}

static int check_strings(struct image *image) {
  if (image->strings_size == 0 || image->strings[0] != 0 || image->strings[image->strings_size - 1] != 0)
    return image_refuse(image, "damaged: the strings note is missing or has no end");
  return 0;
}

static int check_info(struct image *image) {
  const struct ckpt_image *info = &image->info;
  if (!string_ok(image, info->job) || !string_ok(image, info->program) || !string_ok(image, info->kernel) ||
      !string_ok(image, info->host))
    return image_refuse(image, "damaged: the image note makes no sense");
  if (info->monotonic_ns < 0 || info->monotonic_ns > CLOCK_MOST || info->boottime_ns < 0 ||
      info->boottime_ns > CLOCK_MOST)
    return image_refuse(image, "damaged: its clocks make no sense");
  for (size_t i = 0; i < sizeof info->parent; i++)
    if (info->parent[i])
      return image_refuse(image, "incremental: this restart reads only full images");
  return 0;
}

static bool in_region(const struct image *image, uint64_t address, uint64_t size, uint32_t prot) {
  const struct ckpt_region *region = image_region_at(image, address);
  return region && size <= region->end - address && (region->prot & prot) == prot &&
         region->kind != CKPT_REGION_VVAR;
}

static bool stops(uint32_t signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static bool is_removed_directory(const struct ckpt_file *file) {
  return S_ISDIR(file->mode) && file->flags & CKPT_FILE_DELETED;
}

static int check_process(struct image *image) {
  const struct ckpt_process *p = &image->process;
  if (p->pid <= 0 || p->pgid < 0 || p->sid < 0 || p->umask > 0777 || p->barriers & ~CKPT_BARRIERS ||
      p->orphan > 1 || p->nice < -20 || p->nice > 19 || p->death_signal > SIGNALS ||
      !string_ok(image, p->command) || !string_ok(image, p->exe) || !string_ok(image, p->cwd) ||
      !string_ok(image, p->root) || !file_ok(image, p->exe_file))
    return image_refuse(image, "damaged: the process note makes no sense");
  if (p->cwd_file && (!file_ok(image, p->cwd_file) || !is_removed_directory(&image->files[p->cwd_file - 1])))
    return image_refuse(image, "damaged: its working directory is no directory that has been removed");
  if (image_string(image, p->cwd)[0] != '/' || image_string(image, p->root)[0] != '/')
    return image_refuse(image, "damaged: its working directory is no absolute path");
  if (image->threads_count == 0 || p->thread_count != image->threads_count || image->threads[0].tid != p->pid)
    return image_refuse(image, "damaged: its threads are not as the process note says");
  if (p->resume % 8 || !in_region(image, p->resume, sizeof(struct ckpt_resume), PROT_WRITE))
    return image_refuse(image, "damaged: libckpt.so is not in its memory");
  if (p->stop_signal && !stops(p->stop_signal))
    return image_refuse(image, "damaged: the process note makes no sense");
  if (p->lock_future & ~(uint32_t)(MCL_FUTURE | MCL_ONFAULT))
    return image_refuse(image, "damaged: the process note makes no sense");
  if (image->auxv_size % 16 || image->auxv_size > 1024)
    return image_refuse(image, "damaged: the auxiliary vector has an impossible size");
  if (image->groups_count > GROUPS_MOST)
    return image_refuse(image, "damaged: too many groups");
  return 0;
}

/* Only the main thread can have ended and still be there, while others live. */
static bool may_have_ended(const struct image *image, uint32_t i) {
  const struct ckpt_thread *thread = &image->threads[i];
  return i == 0 && image->threads_count > 1 && thread->ended == 1 && (thread->exit_code & ~0xff00u) == 0;
}

static int check_threads(struct image *image) {
  for (uint32_t i = 0; i < image->threads_count; i++) {
    const struct ckpt_thread *thread = &image->threads[i];
    if (thread->ended && may_have_ended(image, i) && memchr(thread->name, 0, sizeof thread->name))
      continue;
    if (thread->ended || thread->tid <= 0 || !memchr(thread->name, 0, sizeof thread->name) ||
        !in_region(image, thread->rip, 1, PROT_EXEC) || !in_region(image, thread->rsp, 1, PROT_WRITE) ||
        !in_region(image, thread->frame, 1, 0))
      return damaged(image, "thread", i);
  }
  return 0;
}

static uint64_t lowest_address(void) {
  char text[32];
  const char *at = text;
  uint64_t lowest =
      sys_read_file("/proc/sys/vm/mmap_min_addr", text, sizeof text) > 0 ? text_take_decimal(&at) : 0;
  return lowest > CKPT_PAGE ? lowest : CKPT_PAGE;
}

static bool over_file_ok(const struct image *image, const struct ckpt_region *region) {
  return region->file && file_ok(image, region->file) && region->offset % CKPT_PAGE == 0 &&
         region->offset <= INT64_MAX - (region->end - region->start);
}

/* As large as a page of the machine's can be: the kernel knows which sizes there are. */
static bool huge_ok(const struct image *image, const struct ckpt_region *region) {
  uint32_t shift = region->flags >> CKPT_HUGE_SHIFT;
  bool anonymous = region->kind == CKPT_REGION_ANONYMOUS || region->kind == CKPT_REGION_SHARED;
  bool over_huge = region->file && file_ok(image, region->file) &&
                   image->files[region->file - 1].flags & CKPT_FILE_HUGETLB;
  return !(region->flags & CKPT_REGION_HUGETLB) || ((anonymous || over_huge) && shift > 12 && shift < 40);
}

static uint64_t page_size(const struct ckpt_region *region) {
  return region->flags & CKPT_REGION_HUGETLB ? 1ull << (region->flags >> CKPT_HUGE_SHIFT) : CKPT_PAGE;
}

static bool kind_ok(const struct image *image, const struct ckpt_region *region) {
  switch (region->kind) {
  case CKPT_REGION_ANONYMOUS:
    return region->file == 0;
  case CKPT_REGION_VVAR:
  case CKPT_REGION_AIO:
    return region->file == 0;
  case CKPT_REGION_VDSO:
    return region->file == 0 && region->end - region->start <= VDSO_MOST;
  case CKPT_REGION_SHARED:
    return over_file_ok(image, region) && image->files[region->file - 1].flags & CKPT_FILE_MEMORY &&
           region->offset + (region->end - region->start) <=
               image->files[region->file - 1].size + (page_size(region) - 1);
  case CKPT_REGION_FILE:
  case CKPT_REGION_FILE_SHARED:
    return over_file_ok(image, region) && !(image->files[region->file - 1].flags & CKPT_FILE_MEMORY);
  default:
    return false;
  }
}

static int check_regions(struct image *image) {
  uint64_t last = lowest_address();
  for (uint32_t i = 0; i < image->regions_count; i++) {
    const struct ckpt_region *region = &image->regions[i];
    if (region->start % CKPT_PAGE || region->end % CKPT_PAGE || region->start < last ||
        region->end <= region->start || region->end > USER_END_57 ||
        (region->prot & ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC)))
      return damaged(image, "region", i);
    if (!huge_ok(image, region) || !kind_ok(image, region))
      return damaged(image, "region", i);
    last = region->end;
  }
  if (image->regions_count == 0)
    return image_refuse(image, "damaged: no memory");
  return 0;
}

static int check_guards(struct image *image) {
  uint64_t last = 0;
  for (uint32_t i = 0; i < image->guards_count; i++) {
    const struct ckpt_range *guard = &image->guards[i];
    const struct ckpt_region *region = image_region_at(image, guard->start);
    if (guard->start % CKPT_PAGE || guard->end % CKPT_PAGE || guard->start < last ||
        guard->end <= guard->start)
      return damaged(image, "guard", i);
    /* One range may lie over regions that touch. */
    for (uint64_t at = guard->start; at < guard->end; at = region->end, region = image_region_at(image, at))
      if (!region || region->kind == CKPT_REGION_VVAR || region->kind == CKPT_REGION_VDSO)
        return damaged(image, "guard", i);
    last = guard->end;
  }
  return 0;
}

/* Whether these pages are in another core, the job shows. */
static int check_inherited(struct image *image) {
  uint64_t last = 0;
  for (uint32_t i = 0; i < image->inherited_count; i++) {
    const struct ckpt_range *range = &image->inherited[i];
    const struct ckpt_region *region = image_region_at(image, range->start);
    if (range->start % CKPT_PAGE || range->end % CKPT_PAGE || range->start < last ||
        range->end <= range->start || !image_may_inherit(region) || range->end > region->end)
      return damaged(image, "inherited range", i);
    last = range->end;
  }
  return 0;
}

/* A carried file's name must not lead out of the image. */
static bool plain_name(const char *name) {
  return name[0] != '.' && !strchr(name, '/');
}

static int check_files(struct image *image) {
  for (uint32_t i = 0; i < image->files_count; i++) {
    const struct ckpt_file *file = &image->files[i];
    if (!string_ok(image, file->path) || !string_ok(image, file->carried) || file->size > INT64_MAX)
      return damaged(image, "file", i);
    const char *carried = image_string(image, file->carried);
    if (file->flags & CKPT_FILE_SEGMENT && (!(file->flags & CKPT_FILE_MEMORY) || file->ino > INT32_MAX))
      return damaged(image, "file", i);
    if (file->flags & CKPT_FILE_HUGETLB &&
        (file->rdev <= CKPT_PAGE || file->rdev & (file->rdev - 1) || file->size % file->rdev))
      return damaged(image, "file", i);
    bool is_carried = file->flags & CKPT_FILE_CARRIED;
    bool is_made = file->flags & (CKPT_FILE_CARRIED | CKPT_FILE_MEMORY | CKPT_FILE_DELETED);
    if (!plain_name(carried) || (is_carried && !*carried) ||
        (is_made && image_string(image, file->path)[0] != '/'))
      return damaged(image, "file", i);
  }
  return 0;
}

static int check_stops(struct image *image) {
  for (uint32_t i = 0; i < image->stops_count; i++)
    if (image->stops[i].pid <= 0 || (image->stops[i].status & 0xff) != 0x7f ||
        !stops(image->stops[i].status >> 8) || image->stops[i].continued > 1)
      return damaged(image, "stop", i);
  return 0;
}

/* Who is to end by a signal sends it to itself: one that only stops it would leave it there. */
static bool is_end(uint32_t status) {
  uint32_t signal = status & 0x7f;
  bool ignored = signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
  return status <= 0xffff &&
         (signal == 0 ? !(status & 0x80) : signal <= SIGNALS && status <= 0xff && !stops(signal) && !ignored);
}

static int check_children(struct image *image) {
  for (uint32_t i = 0; i < image->children_count; i++) {
    const struct ckpt_child *child = &image->children[i];
    if (child->pid <= 0 || child->pgid < 0 || child->sid < 0 || !is_end(child->status))
      return damaged(image, "child", i);
  }
  return 0;
}

static int check_signals(struct image *image) {
  for (uint32_t i = 0; i < image->sigactions_count; i++)
    if (image->sigactions[i].signal < 1 || image->sigactions[i].signal > SIGNALS)
      return damaged(image, "signal action", i);
  for (uint32_t i = 0; i < image->signals_count; i++) {
    int32_t number;
    memcpy(&number, image->signals[i].info, sizeof number);
    if (number < 1 || number > SIGNALS || image->signals[i].tid < 0)
      return damaged(image, "pending signal", i);
  }
  for (uint32_t i = 0; i < image->itimers_count; i++)
    if (image->itimers[i].which > 2 || image->itimers[i].interval_us < 0 || image->itimers[i].value_us < 0)
      return damaged(image, "timer", i);
  for (uint32_t i = 0; i < image->timers_count; i++) {
    const struct ckpt_timer *timer = &image->timers[i];
    if (timer->id < 0 || (i > 0 && timer->id <= timer[-1].id) || timer->signal > SIGNALS || timer->tid < 0 ||
        timer->overrun < 0 || timer->interval_ns < 0 || timer->value_ns < 0)
      return damaged(image, "POSIX timer", i);
  }
  for (uint32_t i = 0; i < image->rlimits_count; i++)
    if (image->rlimits[i].resource >= 16 || image->rlimits[i].soft > image->rlimits[i].hard)
      return damaged(image, "resource limit", i);
  return 0;
}

static int check_checksums(struct image *image) {
  uint64_t chunks = (image->prologue.data_size + CKPT_CHUNK - 1) / CKPT_CHUNK;
  if (image->checksums_count != chunks)
    return image_refuse(image, "damaged: %u checksums for %llu chunks of memory", image->checksums_count,
                        (unsigned long long)chunks);
  return 0;
}

int image_check_notes(struct image *image) {
  static int (*const checks[])(struct image *) = {
      check_strings,  check_info,      check_regions,           check_process, check_threads,
      check_guards,   check_files,     image_check_descriptors, check_signals, check_checksums,
      check_children, check_inherited, image_check_sysv,        check_stops,
  };
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if (checks[i](image) < 0)
      return -1;
  return 0;
}
