/* Whether everything that a process inherits is in the core of its parent, or of that one's. */
#include "job.h"
#include "nest.h"
#include "say.h"

/* The end of what the parent's core, or that of its parent, has from `at` on; `at` itself for nothing. */
static uint64_t held_until(const struct image *parent, uint64_t at, uint32_t *run, uint32_t *inherited) {
  while (*run < parent->runs_count && parent->runs[*run].address + parent->runs[*run].size <= at)
    (*run)++;
  while (*inherited < parent->inherited_count && parent->inherited[*inherited].end <= at)
    (*inherited)++;
  if (*run < parent->runs_count && parent->runs[*run].address <= at)
    return parent->runs[*run].address + parent->runs[*run].size;
  if (*inherited < parent->inherited_count && parent->inherited[*inherited].start <= at)
    return parent->inherited[*inherited].end;
  return at;
}

static bool is_held(const struct image *parent, const struct ckpt_range *range, uint32_t *run,
                    uint32_t *inherited) {
  for (uint64_t at = range->start, until; at < range->end; at = until) {
    const struct ckpt_region *region = image_region_at(parent, at);
    until = held_until(parent, at, run, inherited);
    if (until == at || !image_may_inherit(region))
      return false;
    if (until > region->end)
      until = region->end;
  }
  return true;
}

int nest_check(const struct job *job) {
  for (uint32_t i = 0; i < job->count; i++) {
    const struct image *image = &job->images[i];
    const struct child *parent = job_parent(&job->children[i]);
    uint32_t run = 0, inherited = 0;
    for (uint32_t j = 0; j < image->inherited_count; j++)
      if (!parent || !is_held(parent->image, &image->inherited[j], &run, &inherited))
        return say_problem("%s/%d.core: damaged: its pages at %llx are in no core",
                           job->children[i].place->image, image->process.pid,
                           (unsigned long long)image->inherited[j].start);
  }
  return 0;
}
