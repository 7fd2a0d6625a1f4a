/* The plan's memory: regions, pages, and the kernel's vdso. */
#include <string.h>
#include <sys/mman.h>

#include "core/sys.h"
#include "descriptors.h"
#include "plan_parts.h"

#define DENSE_RUN (8ull << 20) /* in runs as long as that, huge pages waste little */

static bool is_segment(const struct child *child, const struct ckpt_region *region) {
  return region->file && child->image->files[region->file - 1].flags & CKPT_FILE_SEGMENT;
}

/* For mmap or memfd_create, which agree on where the size is. */
static int huge_flags(const struct ckpt_region *region, int flag) {
  uint32_t size = region->flags & (~0u << CKPT_HUGE_SHIFT);
  return region->flags & CKPT_REGION_HUGETLB ? flag | (int)size : 0;
}

static int region_file(struct child *child, const struct ckpt_region *region) {
  const struct ckpt_file *file = &child->image->files[region->file - 1];
  if (is_segment(child, region))
    return child->segments[region->file - 1].id;
  if (region->kind == CKPT_REGION_SHARED)
    return file_for_memory(child, region->file - 1, huge_flags(region, MFD_HUGETLB));
  bool shared = region->kind == CKPT_REGION_FILE_SHARED;
  return file_for_mapping(child, region->file - 1, shared && (file->flags & CKPT_FILE_WRITTEN),
                          (region->prot & PROT_WRITE) != 0);
}

/* The kernel's own way to share memory needs no file, when nothing else maps any of it. */
static bool needs_no_file(const struct child *child, const struct ckpt_region *region) {
  const struct image *image = child->image;
  const struct ckpt_file *file = &image->files[region->file - 1];
  return region->kind == CKPT_REGION_SHARED && region->end - region->start == file->size &&
         strcmp(image_string(image, file->path), "/dev/zero (deleted)") == 0 &&
         image_count_regions(image, region->file) == 1 && child->files_write[region->file - 1] < 0;
}

int plan_region(struct child *child, const struct ckpt_region *from, bool filled, struct plan_region *to) {
  bool over_file = from->file && !needs_no_file(child, from);
  bool shared = from->kind == CKPT_REGION_SHARED || from->kind == CKPT_REGION_FILE_SHARED;
  bool segment = is_segment(child, from);
  *to = (struct plan_region){
      .start = from->start,
      .end = from->end,
      .offset = over_file ? from->offset : 0,
      .fd = -1,
      .mmap_flags = (shared ? MAP_SHARED : MAP_PRIVATE) |
                    (over_file ? 0 : MAP_ANONYMOUS | huge_flags(from, MAP_HUGETLB)) |
                    (from->flags & CKPT_REGION_NORESERVE ? MAP_NORESERVE : 0) |
                    (from->flags & CKPT_REGION_GROWSDOWN ? MAP_GROWSDOWN : 0),
      .fill_prot = filled || segment ? PROT_READ | PROT_WRITE : from->prot,
      .prot = from->prot,
      .flags = from->flags,
      .segment = segment,
      .queue = from->kind == CKPT_REGION_AIO,
  };
  return over_file && (to->fd = region_file(child, from)) < 0 ? -1 : 0;
}

int plan_add_regions(struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  uint32_t run = 0;
  plan->regions = room_take(room, image->regions_count * sizeof *plan->regions);
  for (uint32_t i = 0; i < image->regions_count; i++) {
    const struct ckpt_region *region = &image->regions[i];
    while (run < image->runs_count && image->runs[run].address < region->start)
      run++;
    bool filled = run < image->runs_count && image->runs[run].address < region->end;
    if (region->kind == CKPT_REGION_VVAR ||
        (region->kind == CKPT_REGION_VDSO && child->vdso.way == VDSO_MOVE))
      continue;
    struct plan_region *to = &plan->regions[plan->region_count++];
    uint64_t nested = child->nest.start ? child->nest.regions[i] : 0;
    if (plan_region(child, region, filled || nested, to) < 0)
      return -1;
    to->nested = nested;
  }
  return 0;
}

void plan_add_segments(struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  plan->segments = room_take(room, image->files_count * sizeof *plan->segments);
  for (uint32_t i = 0; i < image->files_count; i++)
    if (image->files[i].flags & CKPT_FILE_SEGMENT)
      plan->segments[plan->segment_count++] = child->segments[i];
}

/* Seals that forbid new mappings for writing come back after those that were there before. */
void plan_add_seals(struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  plan->seals = room_take(room, image->files_count * sizeof *plan->seals);
  for (uint32_t i = 0; i < image->files_count; i++)
    if (file_is_sealed_late(&image->files[i]) && child->files_write[i] >= 0)
      plan->seals[plan->seal_count++] = (struct plan_seal){child->files_write[i], image->files[i].seals};
}

/* With huge pages for everyone, a chunk of scattered pages must be kept from getting some. */
static bool huge_pages_come_unasked(const struct image *image) {
  char text[128];
  long n = sys_read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text);
  return n > 0 && strstr(text, "[always]") && !image->process.thp_disable;
}

void mark_sparse_chunks(const struct image *image, uint8_t *sparse) {
  if (!huge_pages_come_unasked(image))
    return;
  for (uint32_t i = 0; i < image->runs_count; i++) {
    const struct image_run *run = &image->runs[i];
    uint64_t first = run->offset / CKPT_CHUNK, last = (run->offset + run->size - 1) / CKPT_CHUNK;
    if (run->size < DENSE_RUN)
      memset(sparse + first, PLAN_CHUNK_SPARSE, last - first + 1);
  }
}

/* Of these chunks all is in its place already. */
static void mark_done(struct plan *plan) {
  memset(plan->sparse, PLAN_CHUNK_DONE, plan->chunk_count);
  for (uint32_t i = 0; i < plan->run_count; i++) {
    const struct plan_run *run = &plan->runs[i];
    uint64_t first = run->offset / CKPT_CHUNK, last = (run->offset + run->size - 1) / CKPT_CHUNK;
    if (run->address)
      memset(plan->sparse + first, PLAN_CHUNK_DENSE, last - first + 1);
  }
}

void plan_add_pages(struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  plan->data_offset = image->prologue.data_offset;
  plan->data_size = image->prologue.data_size;
  plan->chunk_count = image->checksums_count;
  plan->checksums = room_take_copy(room, image->checksums, image->checksums_count * sizeof(uint32_t));
  plan->sparse = room_take(room, image->checksums_count);
  plan->runs = room_take(room, image->runs_count * sizeof *plan->runs);
  plan->run_count = image->runs_count;
  for (uint32_t i = 0; i < image->runs_count; i++) {
    const struct image_run *run = &image->runs[i];
    const struct ckpt_region *region = image_region_at(image, run->address);
    bool ours = region->kind == CKPT_REGION_VDSO && child->vdso.way == VDSO_MOVE;
    bool done = child->nest.filled && child->nest.regions[region - image->regions];
    plan->runs[i] = (struct plan_run){ours || done ? 0 : run->address, run->size, run->offset};
  }
  if (child->nest.filled)
    mark_done(plan);
  else
    mark_sparse_chunks(image, plan->sparse);
  plan->guards = room_take_copy(room, image->guards, image->guards_count * sizeof *image->guards);
  plan->guard_count = image->guards_count;
}

void plan_add_vdso(struct child *child, struct room *room, struct plan *plan, uint64_t spare,
                   uint64_t parked) {
  struct vdso *vdso = &child->vdso;
  uint64_t target = vdso->way == VDSO_MOVE ? vdso->moved_to : parked;
  for (uint32_t i = 0; vdso->way != VDSO_NONE && i < vdso->ours_count; i++) {
    uint64_t inside = vdso->ours[i].start - vdso->ours[0].start;
    plan->moves[plan->move_count++] = (struct plan_move){.from = vdso->ours[i].start,
                                                         .through = spare + inside,
                                                         .to = target + inside,
                                                         .size = vdso->ours[i].end - vdso->ours[i].start};
  }
  if (vdso->way == VDSO_PATCH) {
    vdso_aim(vdso, parked);
    plan->patches = room_take_copy(room, vdso->patches, vdso->patch_count * sizeof *vdso->patches);
    plan->patch_count = vdso->patch_count;
  }
}

void plan_add_workers(struct room *room, struct plan *plan, uint32_t workers) {
  plan->worker_count = workers;
  plan->worker_stacks = room_take(room, (uint64_t)(workers + 1) * PLAN_STACK);
  plan->scratch = room_take(room, (workers + 1ull) * CKPT_CHUNK);
}
