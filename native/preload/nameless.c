/* Memory over files that have no name: shared anonymous memory, memfds, what was deleted or replaced, System
 * V segments.
 *
 * A descriptor on such a file is what its contents are carried by (carry.c). Without one, the pages of the
 * regions that map it are all there is. */
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "core/dir.h"
#include "core/sys.h"
#include "core/text.h"
#include "job.h"
#include "open_files.h"
#include "regions.h"

#define DELETED " (deleted)"

uint32_t find_open(const struct reading *r) {
  const struct ckpt_file *files = r->c->files.entries;
  for (size_t i = 0; i < r->c->files.count; i++)
    if (files[i].ino == r->map.ino && files[i].flags & CKPT_FILE_OPEN &&
        text_equal(string_at(r->c, files[i].path), r->name))
      return (uint32_t)i + 1;
  return 0;
}

static long add_over_open_file(struct reading *r, struct ckpt_region *region, uint32_t file, bool may_write) {
  struct ckpt_file *files = r->c->files.entries;
  files[file - 1].flags |= CKPT_FILE_MAPPED | (r->map.shared && may_write ? CKPT_FILE_WRITTEN : 0u);
  region->file = file;
  region->kind = r->map.shared ? CKPT_REGION_FILE_SHARED : CKPT_REGION_FILE;
  return add_region(r, region, r->map.shared ? SOURCE_NONE : SOURCE_CHANGED);
}

/* Was its name in a directory of a tmpfs, which has its pages in memory or in swap and nowhere else? */
static bool was_on_tmpfs(const struct reading *r) {
  char directory[PROC_PATH_MAX + 64];
  struct stat st;
  struct statfs fs;
  text_copy(directory, sizeof directory, r->name);
  directory[text_base(directory) - directory] = 0;
  return sys(SYS_(newfstatat), AT_FDCWD, directory, &st, 0) == 0 && major(st.st_dev) == r->map.major &&
         minor(st.st_dev) == r->map.minor && sys(SYS_(statfs), directory, &fs) == 0 &&
         fs.f_type == TMPFS_MAGIC;
}

bool find_other_name(struct reading *r, struct stat *st) {
  struct dir *dir = arena_take(&r->c->arena, sizeof *dir);
  bool found = false;
  size_t length = (size_t)(text_base(r->name) - r->name);
  if (!dir || !was_on_tmpfs(r))
    return false;
  char saved = r->name[length];
  r->name[length] = 0;
  long error = dir_open(dir, AT_FDCWD, r->name);
  r->name[length] = saved;
  if (error < 0)
    return false;
  for (const char *name; !found && (name = dir_next(dir));) {
    found = sys(SYS_(newfstatat), dir->fd, name, st, AT_SYMLINK_NOFOLLOW) == 0 && st->st_ino == r->map.ino &&
            S_ISREG(st->st_mode) && strlen(name) < sizeof r->name - length;
    if (found)
      text_copy(r->name + length, sizeof r->name - length, name);
  }
  dir_close(dir);
  return found;
}

/* Which of its pages exist is what mincore tells, except of those on a disk or in swap, and of huge ones that
 * another mapping has touched. Only what no file
 * call can reach is sure to have no other process that makes it shorter while it is looked at. */
static enum source source_of_shared(const struct reading *r, bool huge) {
  if (r->swapped || huge)
    return SOURCE_EXISTING;
  if (text_equal(r->name, "/dev/zero" DELETED) || text_starts(r->name, "/SYSV"))
    return SOURCE_RESIDENT;
  return text_starts(r->name, "/memfd:") || was_on_tmpfs(r) ? SOURCE_HELD : SOURCE_EXISTING;
}

/* Does another process save it, from a mapping of its own or as a file that it has open? */
static bool is_saved_elsewhere(const struct checkpoint *c, const struct ckpt_region *region,
                               const struct ckpt_file *file) {
  return c->order && (open_elsewhere(c, file->dev, file->ino, UINT32_MAX) ||
                      saved_before(c, file->dev, file->ino, region->offset,
                                   region->offset + (region->end - region->start)));
}

/* Is all of it among what regions before this one have in the image? */
static bool is_saved(const struct checkpoint *c, const struct ckpt_region *region) {
  const struct ckpt_region *others = c->regions.entries;
  const uint8_t *sources = c->sources.entries;
  uint64_t at = region->offset, end = at + (region->end - region->start), before;
  do {
    before = at;
    for (size_t i = 0; i < c->regions.count; i++)
      if (others[i].kind == CKPT_REGION_SHARED && others[i].file == region->file &&
          sources[i] != SOURCE_NONE && others[i].offset <= at &&
          others[i].offset + (others[i].end - others[i].start) > at)
        at = others[i].offset + (others[i].end - others[i].start);
  } while (at != before && at < end);
  return at >= end;
}

static struct stat stat_of(const struct reading *r, uint32_t mode) {
  return (struct stat){
      .st_dev = makedev(r->map.major, r->map.minor),
      .st_ino = r->map.ino,
      .st_mode = S_IFREG | mode,
  };
}

/* Over a file that regions alone have. */
static long add_shared(struct reading *r, struct ckpt_region *region, const struct stat *st, uint32_t flags) {
  long index = add_file(r->c, st, r->name, CKPT_FILE_MAPPED | CKPT_FILE_WRITTEN | CKPT_FILE_MEMORY | flags);
  if (index < 0)
    return index;
  struct ckpt_file *file = (struct ckpt_file *)r->c->files.entries + index - 1;
  uint64_t end = region->offset + (region->end - region->start);
  if (end > file->size && !(flags & CKPT_FILE_SEGMENT))
    file->size = end;
  bool huge = region->flags & CKPT_REGION_HUGETLB;
  region->file = (uint32_t)index;
  region->kind = CKPT_REGION_SHARED;
  bool saved = is_saved(r->c, region) || is_saved_elsewhere(r->c, region, file);
  return add_region(r, region, saved ? SOURCE_NONE : source_of_shared(r, huge));
}

/* The inode's number is the segment's id. */
long add_segment(struct reading *r, struct ckpt_region *region) {
  struct shmid_ds segment;
  long error = sys(SYS_(shmctl), r->map.ino, IPC_STAT, &segment);
  if (error < 0)
    return fail(r->c, error, "System V segment %u at %x: %s", r->map.ino, r->map.start, text_errno(error));
  struct stat st = stat_of(r, segment.shm_perm.mode & 0777);
  st.st_rdev = (uint32_t)segment.shm_perm.__key;
  st.st_size = (off_t)segment.shm_segsz;
  uint32_t removed = segment.shm_perm.mode & SHM_DEST ? CKPT_FILE_DELETED : 0;
  return add_shared(r, region, &st, CKPT_FILE_SEGMENT | removed);
}

long add_nameless(struct reading *r, struct ckpt_region *region, const char *words) {
  uint32_t file = find_open(r);
  if (proc_has_flag(words, "pf") || proc_has_flag(words, "io"))
    return refuse_region(r, "a device's memory");
  if (file)
    return add_over_open_file(r, region, file, proc_has_flag(words, "mw"));
  /* Replaced by an upgrade, perhaps: the image carries the contents. */
  if (!r->map.shared)
    return add_anonymous(r, region,
                         text_equal(r->name, "/anon_hugepage" DELETED) ? SOURCE_POPULATED : SOURCE_EXISTING);
  if (!text_ends(r->name, DELETED))
    return refuse_region(r, "of a kind that is not known");
  struct stat st = stat_of(r, 0600);
  return add_shared(r, region, &st, CKPT_FILE_DELETED);
}
