/* Open descriptors and the descriptions behind them, from /proc/self/fd, fdinfo and fstat. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "core/dir.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "job.h"

enum { SIGNAL_MOST = 64 };

long refuse(struct looking *l, const char *what) {
  return fail(l->c, -EOPNOTSUPP, "descriptor %d is %s (%s), which cannot be saved yet", (int64_t)l->fd, what,
              l->name);
}

/* Does it lead to something that was never the job's? 0, 1 and 2, and what the program was started with. */
bool was_there(int fd, uint64_t dev, uint64_t ino) {
  for (int i = 0; i < ckpt_state.inherited_count; i++) {
    const struct inherited *known = &ckpt_state.inherited[i];
    if (known->fd == fd && known->ino == ino && known->dev == dev)
      return true;
  }
  return fd <= 2;
}

bool leads_outside(const struct looking *l) {
  return was_there(l->fd, l->st.st_dev, l->st.st_ino);
}

bool is_own_descriptor(const struct checkpoint *c, int fd) {
  return fd == c->requester || fd == c->mem || (c->job && job_has_descriptor(c, fd));
}

long describe_outside(const struct looking *l, struct ckpt_description *d) {
  const struct open_file *files = l->c->open_files.entries;
  uint32_t id = shared_id(l->c, l->fd);
  d->kind = CKPT_DESC_OUTSIDE;
  d->a = (uint64_t)l->fd;
  /* restart has what the leader was started with. */
  for (size_t i = 0; id && i < l->c->open_files.count; i++)
    if (files[i].id == id && files[i].process == 0 && files[i].outside)
      d->a = (uint64_t)files[i].fd;
  return 0;
}

uint32_t access_mode(uint32_t flags) {
  return flags & O_ACCMODE;
}

long look(struct looking *l) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/fd/%d", (int64_t)l->fd);
  long n = sys(SYS_(readlinkat), AT_FDCWD, path, l->name, sizeof l->name - 1);
  if (n < 0)
    return fail(l->c, n, "%s: %s", path, text_errno(n));
  l->name[n] = 0;
  text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/fdinfo/%d", (int64_t)l->fd);
  n = sys_read_file(path, l->info, sizeof l->info);
  if (n < 0)
    return fail(l->c, n, "%s: %s", path, text_errno(n));
  uint64_t flags = 0;
  l->pos = 0;
  proc_field(l->info, "flags", 8, &flags);
  proc_field(l->info, "pos", 10, &l->pos);
  l->flags = (uint32_t)flags;
  n = sys(SYS_(fstat), l->fd, &l->st);
  return n < 0 ? fail(l->c, n, "descriptor %d: %s", (int64_t)l->fd, text_errno(n)) : 0;
}

/* Do both refer to one open file description? The signal that F_SETSIG sets belongs to the description, and
 * means nothing unless O_ASYNC is on: a probe that needs no privilege, unlike kcmp. */
static bool same_description(int a, int b) {
  long before = sys(SYS_(fcntl), a, F_GETSIG);
  int probe = before == SIGNAL_MOST ? SIGNAL_MOST - 1 : SIGNAL_MOST;
  if (before < 0 || sys(SYS_(fcntl), b, F_GETSIG) != before || sys(SYS_(fcntl), a, F_SETSIG, probe) < 0)
    return false;
  bool same = sys(SYS_(fcntl), b, F_GETSIG) == probe;
  sys(SYS_(fcntl), a, F_SETSIG, before);
  return same;
}

static bool is_terminal(int fd) {
  char termios[64]; /* the kernel's struct termios is smaller */
  return sys(SYS_(ioctl), fd, 0x5401 /* TCGETS */, termios) == 0;
}

/* ---- What each kind needs --------------------------------------------------------------------------- */

static long describe_file(struct looking *l, struct ckpt_description *d) {
  struct stat named;
  struct statfs fs = {0};
  if (sys(SYS_(fstatfs), l->fd, &fs) == 0 &&
      (fs.f_type == 0x9fa0 /* proc */ || fs.f_type == 0x62656572 /* sysfs */))
    return refuse(l, "a file of the kernel's");
  if (fs.f_type == 0x19800202 /* mqueue */)
    return refuse(l, "a message queue");
  bool memfd = text_starts(l->name, "/memfd:");
  bool huge = memfd && fs.f_type == HUGETLBFS_MAGIC;
  uint32_t flags = CKPT_FILE_OPEN | (access_mode(l->flags) != O_RDONLY ? CKPT_FILE_WRITTEN : 0u);
  bool found = l->name[0] == '/' && l->st.st_nlink > 0 &&
               sys(SYS_(newfstatat), AT_FDCWD, l->name, &named, 0) == 0 && named.st_ino == l->st.st_ino &&
               named.st_dev == l->st.st_dev;
  if (!found && S_ISDIR(l->st.st_mode))
    return refuse(l, "a directory that has been removed");
  if (!found && l->flags & O_PATH)
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
    files[file - 1].flags |= huge ? CKPT_FILE_HUGETLB : 0u;
    files[file - 1].rdev = huge ? (uint64_t)fs.f_bsize : 0;
  }
  d->kind = CKPT_DESC_FILE;
  d->file = (uint32_t)file;
  return 0;
}

static long describe_character_device(struct looking *l, struct ckpt_description *d) {
  static const uint8_t memory_devices[] = {3 /* null */, 5 /* zero */, 7 /* full */, 8 /* random */,
                                           9 /* urandom */};
  if (is_terminal(l->fd)) {
    d->kind = CKPT_DESC_TERMINAL;
    return leads_outside(l) ? describe_outside(l, d) : 0;
  }
  for (size_t i = 0; i < sizeof memory_devices; i++) {
    if (major(l->st.st_rdev) != 1 || minor(l->st.st_rdev) != memory_devices[i])
      continue;
    long file = add_file(l->c, &l->st, l->name, CKPT_FILE_OPEN);
    d->kind = CKPT_DESC_DEVICE;
    d->file = (uint32_t)file;
    return file < 0 ? file : 0;
  }
  return leads_outside(l) ? describe_outside(l, d) : refuse(l, "a device");
}

static long describe_kind(struct looking *l, struct ckpt_description *d) {
  if (text_equal(l->name, "anon_inode:[pidfd]") || text_starts(l->name, "pidfd:"))
    return describe_anonymous(l, d);
  switch (l->st.st_mode & S_IFMT) {
  case S_IFREG:
  case S_IFDIR:
    return describe_file(l, d);
  case S_IFCHR:
    return describe_character_device(l, d);
  case S_IFIFO:
    return describe_fifo(l, d);
  case S_IFSOCK:
    return describe_socket(l, d);
  case S_IFBLK:
    return refuse(l, "a block device");
  default:
    return describe_anonymous(l, d);
  }
}

/* ---- All of them ------------------------------------------------------------------------------------ */

static long add_description(struct looking *l, struct list *inodes) {
  struct checkpoint *c = l->c;
  struct ckpt_description d = {
      .flags = l->flags & ~(uint32_t)O_CLOEXEC,
      .pos = l->pos,
      .shared = shared_id(c, l->fd),
  };
  if (!(l->flags & O_PATH)) { /* which does not even answer */
    d.owner = (int32_t)sys(SYS_(fcntl), l->fd, F_GETOWN);
    d.signal = (int32_t)sys(SYS_(fcntl), l->fd, F_GETSIG);
  }
  long name = add_string(c, l->name);
  if (name < 0)
    return name;
  d.name = (ckpt_string)name;
  long result = describe_kind(l, &d);
  if (result < 0)
    return result;
  struct ckpt_description *entry = list_add(&c->arena, &c->descriptions, sizeof *entry);
  struct inode *inode = list_add(&c->arena, inodes, sizeof *inode);
  if (!entry || !inode)
    return -ENOMEM;
  *entry = d;
  *inode = (struct inode){l->st.st_dev, l->st.st_ino, l->fd};
  return add_locks(l, (uint32_t)c->descriptions.count - 1);
}

long find_description(struct looking *l, struct list *inodes) {
  long result = look(l);
  if (result < 0)
    return result;
  const struct inode *known = inodes->entries;
  size_t description = 0;
  while (description < inodes->count &&
         !(known[description].ino == l->st.st_ino && known[description].dev == l->st.st_dev &&
           same_description(known[description].fd, l->fd)))
    description++;
  if (description == inodes->count)
    result = add_description(l, inodes);
  return result < 0 ? result : (long)description;
}

static long add_descriptor(struct looking *l, struct list *inodes) {
  struct checkpoint *c = l->c;
  long description = find_description(l, inodes);
  if (description < 0)
    return description;
  struct ckpt_descriptor *entry = list_add(&c->arena, &c->descriptors, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = (struct ckpt_descriptor){
      .fd = l->fd,
      .flags = l->flags & O_CLOEXEC ? FD_CLOEXEC : 0,
      .description = (uint32_t)description,
  };
  return 0;
}

/* Descriptors by number: /proc lists them so, but does not promise it. */
static void sort(struct list *list) {
  struct ckpt_descriptor *d = list->entries;
  for (size_t i = 1; i < list->count; i++) {
    struct ckpt_descriptor moving = d[i];
    size_t at = i;
    for (; at > 0 && d[at - 1].fd > moving.fd; at--)
      d[at] = d[at - 1];
    d[at] = moving;
  }
}

long describe_descriptors(struct checkpoint *c) {
  struct looking *l = arena_take(&c->arena, sizeof *l);
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  struct list inodes = {0};
  if (!l || !dir)
    return -ENOMEM;
  l->c = c;
  long result = dir_open(dir, AT_FDCWD, "/proc/thread-self/fd");
  if (result < 0)
    return fail(c, result, "/proc/self/fd: %s", text_errno(result));
  uint64_t fd;
  for (const char *name; result == 0 && (name = dir_next(dir));) {
    if (!text_is_decimal(name, &fd) || (int)fd == dir->fd || is_own_descriptor(c, (int)fd))
      continue;
    l->fd = (int)fd;
    result = add_descriptor(l, &inodes);
  }
  if (result == 0)
    result = dir->error;
  dir_close(dir);
  sort(&c->descriptors);
  if (result == 0)
    result = describe_sockets(l, &inodes); /* first: it may find more descriptions */
  if (result == 0)
    result = describe_pipes(l, &inodes);
  return result < 0 ? result : describe_epoll_sets(l, &inodes);
}

void close_in_flight(struct checkpoint *c) {
  const struct ckpt_descriptor *all = c->in_flight.entries;
  for (size_t i = 0; i < c->in_flight.count; i++)
    sys(SYS_(close), all[i].fd);
}
