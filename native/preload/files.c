/* Regular files, directories and links: by name, or carried in the image when they have none any more. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "open_files.h"

bool is_of_the_kernel(const struct statfs *fs) {
  return fs->f_type == 0x9fa0 /* proc */ || fs->f_type == 0x62656572 /* sysfs */ ||
         fs->f_type == 0x63677270 /* cgroup2 */ || fs->f_type == 0x27e0eb /* cgroup */;
}

#define GONE " (deleted)"

/* As the process note has it; 0: nobody is there. */
static uint64_t starttime_of(int32_t pid) {
  char stat[1024];
  return proc_read(pid, "stat", stat, sizeof stat) > 0 ? proc_starttime(stat) : 0;
}

/* Of a process that may be gone already: then its name says so. `rest` is what comes after the id. 1, or an
 * error: threads are there only once the processes run. */
static long name_foreign(struct looking *l, struct text *name, int32_t pid, const char *rest,
                         struct ckpt_description *d) {
  const char *thread = rest + sizeof "/task/" - 1;
  if (text_starts(rest, "/task/") && is_in_job(l->c, pid) && text_take_decimal(&thread) != (uint64_t)pid)
    return refuse(l, "a file of one thread's");
  text_add(name, l->name);
  if (text_ends(l->name, GONE))
    return 1;
  d->a = starttime_of(pid);
  if (d->a == 0 || !is_named(&l->st, l->name))
    text_add(name, GONE);
  return 1;
}

/* Files in /proc and /sys are opened again by name; those of the program itself by one that holds under every
 * process id. 1 for one of another process. */
static long name_live_file(struct looking *l, struct text *name, struct ckpt_description *d) {
  char own[32];
  struct text text = text_in(own, sizeof own);
  text_format(&text, "/proc/%d", (int64_t)l->c->process.pid);
  size_t length = strlen(own);
  const char *rest = l->name + length;
  if (text_starts(l->name, own) && (!*rest || *rest == '/')) {
    text = text_in(own, sizeof own);
    text_format(&text, "/task/%d", (int64_t)l->c->process.pid);
    length = strlen(own);
    bool main_thread = text_starts(rest, own) && (!rest[length] || rest[length] == '/');
    if (!main_thread && text_starts(rest, "/task/"))
      return refuse(l, "a file of one thread's");
    text_format(name, main_thread ? "/proc/thread-self/.%s" : "/proc/self/.%s",
                rest + (main_thread ? length : 0));
    return 0;
  }
  const char *at = l->name + sizeof "/proc/" - 1;
  uint64_t pid = text_starts(l->name, "/proc/") ? text_take_decimal(&at) : 0;
  if (pid)
    return name_foreign(l, name, (int32_t)pid, at, d);
  text_add(name, l->name);
  return 0;
}

bool is_named(const struct stat *st, const char *path) {
  struct stat named;
  int follow = S_ISLNK(st->st_mode) ? AT_SYMLINK_NOFOLLOW : 0;
  return path[0] == '/' && st->st_nlink > 0 && sys(SYS_(newfstatat), AT_FDCWD, path, &named, follow) == 0 &&
         named.st_ino == st->st_ino && named.st_dev == st->st_dev;
}

long find_removed_directory(struct checkpoint *c, const char *path) {
  struct stat st;
  long result = sys(SYS_(newfstatat), AT_FDCWD, "/proc/thread-self/cwd", &st, 0);
  if (result == 0 && is_named(&st, path))
    return 0;
  if (result < 0 || !text_ends(path, GONE))
    return fail(c, -ENOENT, "its working directory \"%s\" is not found by that name", path);
  return add_file(c, &st, path, CKPT_FILE_DELETED);
}

/* Of the machine or of a cgroup: who writes to it is woken by it, on terms that nobody can read back. */
static bool is_pressure(const char *path) {
  return text_starts(path, "/proc/pressure/") || text_ends(path, ".pressure");
}

static long describe_live_file(struct looking *l, struct ckpt_description *d) {
  char path[PROC_PATH_MAX];
  struct text name = text_in(path, sizeof path);
  long foreign = name_live_file(l, &name, d);
  if (foreign < 0)
    return foreign;
  /* Not by the name that it gets: the thread that looks need not be the one whose file it is. */
  if (l->name[0] != '/' || name.cut || (!foreign && !is_named(&l->st, l->name)))
    return refuse(l, "a file of the kernel's without a name");
  bool of_process = foreign || text_starts(path, "/proc/self/.") || text_starts(path, "/proc/thread-self/.");
  /* What a process has to say there is asked again once it is as it was, by those who have it open. */
  if (of_process && l->pos && !(l->flags & O_PATH) && is_only_in_flight(l->c, l->fd))
    return refuse(l, "a half-read file of a process's that is in flight and that nobody has open");
  if (access_mode(l->flags) != O_RDONLY && is_pressure(path))
    return refuse(l, "a pressure trigger");
  long file = add_file(l->c, &l->st, path, CKPT_FILE_OPEN | CKPT_FILE_LIVE);
  d->kind = CKPT_DESC_FILE;
  d->file = (uint32_t)file;
  return file < 0 ? file : 0;
}

/* File systems whose files are objects of the kernel's: a name or a copy does not bring them back. */
static const char *object_of(const struct statfs *fs) {
  static const struct {
    int64_t type;
    const char *words;
  } known[] = {
      {0x6e736673, "a namespace"},       {0x64626720, "a file of debugfs"},
      {0x74726163, "a file of tracefs"}, {0x73636673, "a file of securityfs"},
      {0xcafe4a11, "a file of bpffs"},   {0x444d4142, "a DMA buffer"},
      {0x5345434d, "secret memory"},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i].type == (int64_t)fs->f_type)
      return known[i].words;
  return NULL;
}

void note_huge_pages(struct checkpoint *c, long file, const struct statfs *fs) {
  struct ckpt_file *entry = (struct ckpt_file *)c->files.entries + file - 1;
  if (fs->f_type != HUGETLBFS_MAGIC)
    return;
  entry->flags |= CKPT_FILE_HUGETLB;
  entry->rdev = (uint64_t)fs->f_bsize;
}

long describe_file(struct looking *l, struct ckpt_description *d) {
  struct statfs fs = {0};
  long result = sys(SYS_(fstatfs), l->fd, &fs);
  if (result == 0 && object_of(&fs))
    return refuse(l, object_of(&fs));
  if (result == 0 && fs.f_type == 0x19800202 /* mqueue */)
    return describe_queue(l, d);
  if (result == 0 && is_of_the_kernel(&fs))
    return describe_live_file(l, d);
  bool memfd = text_starts(l->name, "/memfd:");
  uint32_t flags = CKPT_FILE_OPEN | (access_mode(l->flags) != O_RDONLY ? CKPT_FILE_WRITTEN : 0u);
  bool found = is_named(&l->st, l->name);
  if (!found && !S_ISREG(l->st.st_mode) && !S_ISDIR(l->st.st_mode))
    return refuse(l, "opened with O_PATH, and has no name any more");
  if (!found)
    flags |= CKPT_FILE_DELETED;
  long file = add_file(l->c, &l->st, l->name, flags);
  if (file < 0)
    return file;
  if (memfd) {
    struct ckpt_file *files = l->c->files.entries;
    long seals = sys(SYS_(fcntl), l->fd, F_GET_SEALS);
    files[file - 1].seals = seals < 0 ? 0 : (uint32_t)seals;
  }
  note_huge_pages(l->c, file, &fs);
  d->kind = CKPT_DESC_FILE;
  d->file = (uint32_t)file;
  sys(SYS_(fcntl), l->fd, F_GET_RW_HINT, &((struct ckpt_file *)l->c->files.entries)[file - 1].write_hint);
  return 0;
}
