/* The program headers: which pages are in this core, and where. */
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>

#include "pages.h"

static uint32_t elf_flags(uint32_t prot) {
  return (prot & PROT_READ ? PF_R : 0u) | (prot & PROT_WRITE ? PF_W : 0u) | (prot & PROT_EXEC ? PF_X : 0u);
}

static long add_load(struct checkpoint *c, struct list *headers, const struct ckpt_region *region,
                     uint64_t start, uint64_t end, uint64_t offset, uint64_t size) {
  Elf64_Phdr *header = list_add(&c->arena, headers, sizeof *header);
  if (!header)
    return -ENOMEM;
  *header = (Elf64_Phdr){
      .p_type = PT_LOAD,
      .p_flags = elf_flags(region->prot),
      .p_offset = offset,
      .p_vaddr = start,
      .p_filesz = size,
      .p_memsz = end - start,
      .p_align = CKPT_PAGE,
  };
  return 0;
}

/* What is next to come, by address. */
struct next {
  const struct run *run, *last_run;
  const struct ckpt_range *inherited, *last_inherited;
  uint64_t offset; /* of the run in the file */
};

/* The segment that begins at `at`: a run, or zeros; it reaches to the next run, to what is inherited, or to
 * the end of the region. */
static long add_next(struct checkpoint *c, struct list *headers, const struct ckpt_region *region,
                     struct next *next, uint64_t *at) {
  uint64_t start = *at, end = region->end, size = 0;
  if (next->inherited < next->last_inherited && next->inherited->start < end)
    end = next->inherited->start;
  if (next->run < next->last_run && next->run->start == start)
    size = next->run++->size;
  if (next->run < next->last_run && next->run->start < end)
    end = next->run->start;
  long result = add_load(c, headers, region, start, end, next->offset, size);
  next->offset += size;
  *at = end;
  return result;
}

long add_loads(struct checkpoint *c, struct list *headers) {
  const struct ckpt_region *regions = c->regions.entries;
  struct next next = {.run = c->runs.entries, .inherited = c->inherited.entries, .offset = CKPT_PAGE};
  long result = 0;
  next.last_run = next.run + c->runs.count;
  next.last_inherited = next.inherited + c->inherited.count;
  for (size_t i = 0; i < c->regions.count; i++)
    for (uint64_t at = regions[i].start; at < regions[i].end && result == 0;) {
      if (next.inherited < next.last_inherited && next.inherited->start == at)
        at = next.inherited++->end;
      else
        result = add_next(c, headers, &regions[i], &next, &at);
    }
  return result;
}
