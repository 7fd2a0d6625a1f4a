/* Open descriptors and the descriptions behind them, from /proc/self/fd, fdinfo and fstat. */
#include <errno.h>
#include <fcntl.h>
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
#include "open_files.h"
#include "thread.h"

long refuse(struct looking *l, const char *what) {
  return fail(l->c, -EOPNOTSUPP, "descriptor %d is %s (%s), which cannot be saved yet", (int64_t)l->fd, what,
              l->name);
}

/* What a descendant was started with is often the job's own. Of sockets, the leader tells: what it has not,
 * or has made itself, is the job's. */
bool is_the_jobs(const struct looking *l) {
  const struct open_file *files = l->c->open_files.entries;
  uint32_t id = shared_id(l->c, l->fd);
  if (!leads_outside(l))
    return true;
  for (size_t i = 0; id && i < l->c->open_files.count; i++)
    if (files[i].id == id && files[i].process == 0 && files[i].outside)
      return false;
  return l->c->order && l->c->order->process != 0; /* one that is alone leads */
}

bool is_own_descriptor(const struct checkpoint *c, int fd) {
  return fd == c->requester || fd == c->mem || (c->job && job_has_descriptor(c, fd)) || is_in_flight(c, fd);
}

long describe_outside(const struct looking *l, struct ckpt_description *d) {
  const struct open_file *files = l->c->open_files.entries;
  uint32_t id = shared_id(l->c, l->fd);
  d->kind = CKPT_DESC_OUTSIDE;
  d->a = (uint64_t)outside_number(l->fd, l->st.st_dev, l->st.st_ino);
  /* restart has what the leader was started with. */
  for (size_t i = 0; id && i < l->c->open_files.count; i++)
    if (files[i].id == id && files[i].process == 0 && files[i].outside)
      d->a = files[i].outside - 1;
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

/* ---- What each kind needs --------------------------------------------------------------------------- */

static long describe_character_device(struct looking *l, struct ckpt_description *d) {
  static const uint8_t memory_devices[] = {3 /* null */, 5 /* zero */, 7 /* full */, 8 /* random */,
                                           9 /* urandom */};
  if (is_terminal(l))
    return describe_terminal(l, d);
  for (size_t i = 0; i < sizeof memory_devices; i++) {
    if (major(l->st.st_rdev) != 1 || minor(l->st.st_rdev) != memory_devices[i])
      continue;
    long file = add_file(l->c, &l->st, l->name, CKPT_FILE_OPEN);
    d->kind = CKPT_DESC_DEVICE;
    d->file = (uint32_t)file;
    return file < 0 ? file : 0;
  }
  if (is_hung_up(l))
    return describe_hung_up(l, d);
  return leads_outside(l) ? describe_outside(l, d) : refuse(l, "a device");
}

static long describe_kind(struct looking *l, struct ckpt_description *d) {
  if (text_equal(l->name, "anon_inode:[pidfd]") || text_starts(l->name, "pidfd:"))
    return describe_anonymous(l, d);
  if (l->flags & O_PATH && l->name[0] == '/')
    return describe_file(l, d);
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

static bool is_thread(const struct checkpoint *c, int32_t tid) {
  const struct thread_note *threads = c->threads.entries;
  for (size_t i = 0; i < c->threads.count; i++)
    if (threads[i].thread.tid == tid && !threads[i].thread.ended)
      return true;
  return false;
}

/* Whom the kernel tells about input and output, and how. */
static long describe_owner(struct looking *l, struct ckpt_description *d) {
  struct f_owner_ex owner;
  if (l->flags & O_PATH) /* which does not even answer */
    return 0;
  d->signal = (int32_t)sys(SYS_(fcntl), l->fd, F_GETSIG);
  if (sys(SYS_(fcntl), l->fd, F_GETOWN_EX, &owner) < 0)
    return 0;
  d->owner = owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
  d->owner_type = owner.type == F_OWNER_TID && owner.pid;
  if (l->flags & O_ASYNC && is_only_in_flight(l->c, l->fd))
    return refuse(l, "one that signals its input and output, and is in flight, and nobody has it open");
  return d->owner_type && !is_thread(l->c, owner.pid)
             ? refuse(l, "one that signals a thread of another process")
             : 0;
}

static long add_description(struct looking *l, struct list *inodes) {
  struct checkpoint *c = l->c;
  struct ckpt_description d = {
      .flags = l->flags & ~(uint32_t)O_CLOEXEC,
      .pos = l->pos,
      .shared = shared_id(c, l->fd),
  };
  long told = describe_owner(l, &d);
  if (told < 0)
    return told;
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

/* ---- Which descriptors share one ---------------------------------------------------------------------- */

enum side { SAME = 0, BEFORE = 1, AFTER = 2 }; /* kcmp's numbers */

/* Where l->fd stands in the order of open files, or a negative errno: only kcmp knows the order of those of
 * one inode, and it is not allowed everywhere. */
static long compare(const struct looking *l, const struct inode *known) {
  int32_t self = l->c->process.pid;
  if (l->st.st_dev != known->dev)
    return l->st.st_dev < known->dev ? BEFORE : AFTER;
  if (l->st.st_ino != known->ino)
    return l->st.st_ino < known->ino ? BEFORE : AFTER;
  return compare_files(self, l->fd, self, known->fd);
}

/* The place in l->order of the open file that l->fd refers to, or where it has to go; from `at` on, which is
 * one of the same inode. */
static size_t ask_each(const struct looking *l, const struct inode *known, size_t at, bool *found) {
  const uint32_t *order = l->order.entries;
  while (at > 0 && compare(l, &known[order[at - 1]]) < 0)
    at--;
  for (; at < l->order.count && compare(l, &known[order[at]]) < 0 && !*found; at += *found ? 0 : 1)
    *found = !(l->flags & O_ASYNC) && share_signal(known[order[at]].fd, l->fd);
  return at;
}

static size_t find_place(const struct looking *l, const struct inode *known, bool *found) {
  const uint32_t *order = l->order.entries;
  size_t low = 0, high = l->order.count;
  *found = false;
  while (low < high && !*found) {
    size_t middle = low + (high - low) / 2;
    long side = compare(l, &known[order[middle]]);
    if (side < 0)
      return ask_each(l, known, middle, found);
    *found = side == SAME;
    low = side == AFTER ? middle + 1 : side == SAME ? middle : low;
    high = side == BEFORE ? middle : high;
  }
  return low;
}

static long insert(struct looking *l, size_t place, uint32_t description) {
  uint32_t *last = list_add(&l->c->arena, &l->order, sizeof *last);
  if (!last)
    return -ENOMEM;
  uint32_t *order = l->order.entries;
  memmove(&order[place + 1], &order[place], (l->order.count - 1 - place) * sizeof *order);
  order[place] = description;
  return 0;
}

long find_description(struct looking *l, struct list *inodes) {
  bool found;
  long result = look(l);
  if (result < 0)
    return result;
  size_t place = find_place(l, inodes->entries, &found);
  const uint32_t *order = l->order.entries;
  if (found)
    return order[place];
  uint32_t description = (uint32_t)l->c->descriptions.count;
  result = add_description(l, inodes);
  if (result == 0)
    result = insert(l, place, description);
  return result < 0 ? result : (long)description;
}

static long add_descriptor(struct looking *l, struct list *inodes) {
  struct checkpoint *c = l->c;
  long description = find_description(l, inodes);
  if (description < 0)
    return description;
  note_inherited(l);
  struct ckpt_descriptor *entry = list_add(&c->arena, &c->descriptors, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = (struct ckpt_descriptor){
      .fd = l->fd,
      .flags =
          (uint32_t)sys(SYS_(fcntl), l->fd, F_GETFD) & FD_CLOEXEC, /* fdinfo may show that of the opening */
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
  long result = find_controlling(c);
  if (result == 0)
    result = find_ptys(c, dir);
  if (result < 0)
    return result;
  result = dir_open(dir, AT_FDCWD, "/proc/thread-self/fd");
  if (result < 0)
    return fail(c, result, "/proc/self/fd: %s", text_errno(result));
  uint64_t fd;
  forget_inherited();
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
    result = describe_in_flight(l, &inodes);
  if (result == 0)
    result = describe_sockets(l, &inodes); /* first: it may find more descriptions */
  if (result == 0)
    result = describe_pipes(l, &inodes);
  if (result == 0)
    result = describe_inotify(l, &inodes);
  if (result == 0)
    result = describe_controlling(c);
  return result < 0 ? result : describe_epoll_sets(l, &inodes);
}
