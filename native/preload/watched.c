/* Which open file an epoll set watches. It is listed there with the number that it had for the process that
 * added it, which may be another process, or may have closed it since; the kernel tells by kcmp whether it is
 * the same as a descriptor, of whichever process. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>

#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "job.h"
#include "open_files.h"

struct slot { /* the kernel's struct kcmp_epoll_slot */
  uint32_t set, number, turn;
};

/* Is it this descriptor of this process? Negative where that is not told. */
static long compare(const struct looking *l, const struct watched *watched, const struct ckpt_watch *watch,
                    int32_t pid, int fd) {
  enum { EPOLL_TARGET = 7 /* KCMP_EPOLL_TFD */ };
  struct slot slot = {(uint32_t)l->fd, (uint32_t)watch->fd, watched->turn};
  return ckpt_state.force_fcntl ? -ENOSYS : sys(SYS_(kcmp), pid, l->c->process.pid, EPOLL_TARGET, fd, &slot);
}

/* To add what is there already is EEXIST. What was not there goes again at once. */
static bool is_there(int set, int fd) {
  struct epoll_event none = {0};
  long result = sys(SYS_(epoll_ctl), set, EPOLL_CTL_ADD, fd, &none);
  if (result == 0)
    sys(SYS_(epoll_ctl), set, EPOLL_CTL_DEL, fd, &none);
  return result == -EEXIST;
}

/* Where one alone had the number the set itself tells, at once: kcmp walks through all that it watches. */
static bool has_kept_its_number(const struct looking *l, const struct watched *watched,
                                const struct ckpt_watch *watch) {
  return !is_own_descriptor(l->c, watch->fd) &&
         (watched->alone ? is_there(l->fd, watch->fd)
                         : compare(l, watched, watch, l->c->process.pid, watch->fd) == 0);
}

static bool has_inode(const struct watched *watched, uint64_t dev, uint64_t ino) {
  return ino == watched->ino && ((uint64_t)major(dev) << 20 | minor(dev)) == watched->dev;
}

/* Under another number, or in flight. What a signalfd has to tell is told to the process that has added it.
 */
static bool find_own(const struct looking *l, const struct list *inodes, const struct watched *watched,
                     struct ckpt_watch *watch) {
  const struct ckpt_description *all = l->c->descriptions.entries;
  const struct inode *known = inodes->entries;
  for (size_t i = 0; i < l->c->descriptions.count; i++) {
    if (!has_inode(watched, known[i].dev, known[i].ino) ||
        compare(l, watched, watch, l->c->process.pid, known[i].fd) != 0)
      continue;
    watch->target = 1 + (uint32_t)i;
    return all[i].kind != CKPT_DESC_SIGNALFD;
  }
  return false;
}

/* Of what each process opens for itself in the end, another one cannot watch what that one has. */
static bool can_be_watched_from_outside(const struct open_file *file) {
  static const char *const own[] = {"anon_inode:[signalfd]", "anon_inode:[pidfd]", "pidfd:", "/proc/"};
  char path[64], name[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/%d/fd/%d", (int64_t)file->pid, (int64_t)file->fd);
  long n = sys(SYS_(readlinkat), AT_FDCWD, path, name, sizeof name - 1);
  name[n > 0 ? n : 0] = 0;
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
    if (text_starts(name, own[i]))
      return false;
  return n > 0;
}

static bool find_elsewhere(const struct looking *l, const struct watched *watched, struct ckpt_watch *watch) {
  const struct open_file *files = l->c->open_files.entries;
  for (size_t i = 0; i < l->c->open_files.count; i++) {
    if (files[i].process == l->c->order->process || files[i].fd < 0 || files[i].in_flight ||
        !has_inode(watched, files[i].dev, files[i].ino) ||
        compare(l, watched, watch, files[i].pid, files[i].fd) != 0)
      continue;
    watch->pid = files[i].pid;
    watch->target = 1 + (uint32_t)files[i].fd;
    return can_be_watched_from_outside(&files[i]);
  }
  return false;
}

bool find_watched(const struct looking *l, const struct list *inodes, const struct watched *watched,
                  struct ckpt_watch *watch) {
  return has_kept_its_number(l, watched, watch) || find_own(l, inodes, watched, watch) ||
         (watch->target == 0 && find_elsewhere(l, watched, watch));
}
