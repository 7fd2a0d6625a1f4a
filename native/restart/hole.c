#include "hole.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/proc.h"
#include "say.h"

/* Where mmap puts things with four levels of page tables; what lies above is used only by those who ask. */
#define USER_END_47 0x7ffffffff000ull
#define LOWEST (1ull << 20)
/* Far from a stack that grows, and from everything else that the program may want to grow. */
#define DISTANCE (64ull << 20)
#define ALIGNMENT (2ull << 20)

struct list {
  struct ckpt_range *ranges;
  size_t count;
  size_t room;
};

static int add(struct list *list, uint64_t start, uint64_t end) {
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 256;
    struct ckpt_range *ranges = realloc(list->ranges, room * sizeof *ranges);
    if (!ranges)
      return say_problem("not enough memory");
    list->ranges = ranges;
    list->room = room;
  }
  list->ranges[list->count++] = (struct ckpt_range){start, end};
  return 0;
}

static int add_maps(struct list *list, uint64_t *top) {
  struct proc_lines lines;
  char buffer[8192];
  int result = 0;
  long error = proc_lines_open(&lines, "/proc/self/maps", buffer, sizeof buffer);
  if (error < 0)
    return say_problem("cannot read /proc/self/maps: %s", strerror((int)-error));
  *top = 0;
  for (char *line; result == 0 && (line = proc_lines_next(&lines));) {
    struct proc_map map;
    if (!proc_parse_map(line, &map) || map.start >> 63)
      continue; /* vsyscall is the kernel's */
    *top = map.end;
    result = add(list, map.start, map.end);
  }
  proc_lines_close(&lines);
  return lines.error < 0 ? say_problem("cannot read /proc/self/maps: %s", strerror((int)-lines.error))
                         : result;
}

static int by_start(const void *a, const void *b) {
  const struct ckpt_range *x = a, *y = b;
  return x->start < y->start ? -1 : x->start > y->start;
}

static struct ckpt_range largest_gap(const struct list *list) {
  struct ckpt_range best = {0, 0};
  uint64_t from = LOWEST;
  for (size_t i = 0; i <= list->count; i++) {
    uint64_t to =
        i < list->count && list->ranges[i].start < USER_END_47 ? list->ranges[i].start : USER_END_47;
    if (to > from && to - from > best.end - best.start)
      best = (struct ckpt_range){from, to};
    if (i < list->count && list->ranges[i].end > from)
      from = list->ranges[i].end;
  }
  return best;
}

static int add_regions(struct list *list, const struct image *image) {
  int result = 0;
  for (uint32_t i = 0; result == 0 && i < image->regions_count; i++)
    result = add(list, image->regions[i].start, image->regions[i].end);
  return result;
}

int holes_find_largest(const struct image *images, uint32_t count, struct ckpt_range *range) {
  struct list list = {0};
  uint64_t top;
  int result = add_maps(&list, &top);
  for (uint32_t i = 0; result == 0 && i < count; i++)
    result = add_regions(&list, &images[i]);
  if (result == 0) {
    qsort(list.ranges, list.count, sizeof *list.ranges, by_start);
    struct ckpt_range gap = largest_gap(&list);
    range->start = (gap.start + DISTANCE) & ~(ALIGNMENT - 1);
    range->end = (gap.start + (gap.end - gap.start) / 2) & ~(ALIGNMENT - 1);
    if (range->end <= range->start)
      result = say_problem("the program leaves no room in its address space to restart it from");
  }
  free(list.ranges);
  return result;
}

int holes_find(const struct image *image, struct ckpt_range used, uint64_t hole_size, uint64_t parked_size,
               struct holes *holes) {
  struct list list = {0};
  int result = add_maps(&list, &holes->top);
  if (result == 0)
    result = add_regions(&list, image);
  if (result == 0 && used.start < used.end)
    result = add(&list, used.start, used.end);
  if (result == 0) {
    qsort(list.ranges, list.count, sizeof *list.ranges, by_start);
    struct ckpt_range gap = largest_gap(&list);
    uint64_t middle = (gap.start + (gap.end - gap.start) / 2) & ~(ALIGNMENT - 1);
    holes->hole = middle;
    holes->parked = (middle + hole_size + DISTANCE) & ~(ALIGNMENT - 1);
    if (middle < gap.start + DISTANCE || gap.end - middle < hole_size + parked_size + 3 * DISTANCE)
      result = say_problem("the program leaves no room in its address space to restart it from");
  }
  free(list.ranges);
  return result;
}
