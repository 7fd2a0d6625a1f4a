/* The program headers: which pages have contents, and where in the file these are. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

static bool holds_data(const struct ckpt_region *region) {
  return region->kind != CKPT_REGION_FILE_SHARED && region->kind != CKPT_REGION_VVAR;
}

/* The first region that ends above this address. */
static uint32_t region_above(const struct image *image, uint64_t address) {
  uint32_t low = 0, high = image->regions_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (image->regions[middle].end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const struct ckpt_region *image_region_at(const struct image *image, uint64_t address) {
  uint32_t i = region_above(image, address);
  return i < image->regions_count && image->regions[i].start <= address ? &image->regions[i] : NULL;
}

bool image_may_inherit(const struct ckpt_region *region) {
  return region && (region->kind == CKPT_REGION_ANONYMOUS || region->kind == CKPT_REGION_FILE) &&
         !(region->flags & CKPT_REGION_HUGETLB) && region->end - region->start <= CKPT_INHERIT_MOST;
}

uint32_t image_count_regions(const struct image *image, uint32_t file) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < image->regions_count; i++)
    count += image->regions[i].file == file;
  return count;
}

/* Cuts the run [start, end) at region boundaries; its bytes begin at `offset` of the data. */
static int add_run(struct image *image, uint64_t start, uint64_t end, uint64_t offset) {
  for (uint32_t i = region_above(image, start); start < end; i++) {
    const struct ckpt_region *region = &image->regions[i];
    if (i >= image->regions_count || region->start > start || !holds_data(region))
      return image_refuse(image, "damaged: pages at %llx belong to no region", (unsigned long long)start);
    uint64_t stop = region->end < end ? region->end : end;
    image->runs[image->runs_count++] = (struct image_run){start, stop - start, offset};
    offset += stop - start;
    start = stop;
  }
  return 0;
}

int image_read_loads(struct image *image, const uint8_t *phdrs, uint32_t count) {
  uint64_t last = 0, data = 0;
  /* A segment is cut at the regions it lies over, and each boundary cuts one. */
  image->runs = calloc((size_t)count + image->regions_count + 1, sizeof *image->runs);
  if (!image->runs)
    return image_refuse(image, "not enough memory for its segments");
  for (uint32_t i = 0; i < count; i++) {
    Elf64_Phdr p;
    memcpy(&p, phdrs + (size_t)i * sizeof p, sizeof p);
    if (p.p_type != PT_LOAD)
      continue;
    if (p.p_vaddr % CKPT_PAGE || p.p_filesz % CKPT_PAGE || p.p_memsz % CKPT_PAGE || p.p_filesz > p.p_memsz ||
        p.p_vaddr < last || p.p_memsz > UINT64_MAX - p.p_vaddr)
      return image_refuse(image, "damaged: segment %u at %llx is out of place", i,
                          (unsigned long long)p.p_vaddr);
    last = p.p_vaddr + p.p_memsz;
    /* What follows p_filesz is in no file, or in the one that the region maps. */
    if (p.p_filesz == 0)
      continue;
    if (p.p_filesz > image->prologue.data_size - data || p.p_offset != image->prologue.data_offset + data)
      return image_refuse(image, "damaged: segment %u at %llx is not where it should be in the file", i,
                          (unsigned long long)p.p_vaddr);
    if (add_run(image, p.p_vaddr, p.p_vaddr + p.p_filesz, data) < 0)
      return -1;
    data += p.p_filesz;
  }
  if (data != image->prologue.data_size)
    return image_refuse(image, "damaged: %llu bytes of memory belong to no segment",
                        (unsigned long long)(image->prologue.data_size - data));
  return 0;
}
