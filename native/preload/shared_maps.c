/* Memory that several processes of a job have mapped as shared is saved by the first of them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "job.h"
#include "open_files.h"

static long add_map(struct checkpoint *c, const struct proc_map *map) {
  uint64_t until;
  /* What the program has excluded somewhere may be saved by another. */
  for (uint64_t at = map->start; at < map->end; at = until)
    if (is_excluded(at, &until))
      return 0;
  struct open_file *entry = list_add(&c->arena, &c->open_files, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = (struct open_file){
      .dev = makedev(map->major, map->minor),
      .ino = map->ino,
      .fd = -1,
      .flags = map->prot,
      .start = map->offset,
      .end = map->offset + (map->end - map->start),
  };
  return 0;
}

long shared_maps_list(struct checkpoint *c) {
  enum { BUFFER = 64 << 10 };
  struct proc_lines lines;
  struct proc_map map;
  char *buffer = arena_take(&c->arena, BUFFER);
  if (!buffer)
    return -ENOMEM;
  long result = proc_lines_open(&lines, "/proc/thread-self/maps", buffer, BUFFER);
  if (result < 0)
    return fail(c, result, "/proc/self/maps: %s", text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));)
    if (proc_parse_map(line, &map) && map.shared && map.ino)
      result = add_map(c, &map);
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result;
}

static bool is_map_before(const struct checkpoint *c, const struct open_file *file, uint64_t dev,
                          uint64_t ino) {
  return file->fd < 0 && file->ino == ino && file->dev == dev && file->process < c->order->process;
}

bool saved_before(const struct checkpoint *c, uint64_t dev, uint64_t ino, uint64_t start, uint64_t end) {
  const struct open_file *files = c->open_files.entries;
  for (uint64_t before = end; c->order && start < end && start != before;) {
    before = start;
    for (size_t i = 0; i < c->open_files.count; i++)
      if (is_map_before(c, &files[i], dev, ino) && files[i].start <= start && files[i].end > start)
        start = files[i].end;
  }
  return start >= end;
}

bool written_before(const struct checkpoint *c, uint64_t dev, uint64_t ino) {
  const struct open_file *files = c->open_files.entries;
  for (size_t i = 0; c->order && i < c->open_files.count; i++)
    if (is_map_before(c, &files[i], dev, ino) && files[i].flags & PROT_WRITE)
      return true;
  return false;
}

/* With no name left, it is a deleted file to each that has it open. */
bool open_elsewhere(const struct checkpoint *c, uint64_t dev, uint64_t ino, uint32_t end) {
  const struct open_file *files = c->open_files.entries;
  for (size_t i = 0; i < c->open_files.count; i++)
    if (files[i].fd >= 0 && files[i].ino == ino && files[i].dev == dev && files[i].nameless &&
        !files[i].outside && (files[i].flags & O_ACCMODE) != O_WRONLY && files[i].process < end &&
        files[i].process != c->order->process)
      return true;
  return false;
}
