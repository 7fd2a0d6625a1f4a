/* Epoll sets: what they watch, from fdinfo. */
#include <errno.h>
#include <sys/epoll.h>

#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "open_files.h"

enum { LINE_MOST = 4096 };

/* The set watches an open file under the number that it had. That the number still stands for that file, not
 * for another one that came after, only the kernel can tell: to add what is there already is EEXIST. What was
 * not there goes again at once. */
static bool still_watches(int set, int fd) {
  struct epoll_event none = {0};
  long result = sys(SYS_(epoll_ctl), set, EPOLL_CTL_ADD, fd, &none);
  if (result == 0)
    sys(SYS_(epoll_ctl), set, EPOLL_CTL_DEL, fd, &none);
  return result == -EEXIST;
}

static bool listed_twice(const struct checkpoint *c, const struct ckpt_watch *watch) {
  const struct ckpt_watch *watches = c->watches.entries;
  for (size_t i = c->watches.count; i-- > 0 && watches[i].set == watch->set;)
    if (watches[i].fd == watch->fd)
      return true;
  return false;
}

/* After "tfd:" of "tfd:        5 events:       19 data:                5  pos:0 ino:3c sdev:e". */
static long add_watch(struct looking *l, uint32_t set, const char *at) {
  struct ckpt_watch watch = {.set = set};
  text_skip_spaces(&at);
  watch.fd = (int32_t)text_take_decimal(&at);
  text_skip_spaces(&at);
  if (!text_starts(at, "events:"))
    return fail(l->c, -EPROTO, "descriptor %d: its fdinfo cannot be understood", (int64_t)l->fd);
  at += sizeof "events:" - 1;
  text_skip_spaces(&at);
  watch.events = (uint32_t)text_take_hex(&at);
  text_skip_spaces(&at);
  if (!text_starts(at, "data:"))
    return fail(l->c, -EPROTO, "descriptor %d: its fdinfo cannot be understood", (int64_t)l->fd);
  at += sizeof "data:" - 1;
  text_skip_spaces(&at);
  watch.data = text_take_hex(&at);
  if (listed_twice(l->c, &watch) || !still_watches(l->fd, watch.fd))
    return fail(
        l->c, -EOPNOTSUPP,
        "descriptor %d is an epoll set that watches a file that was descriptor %d, which has been closed "
        "or reused since: this cannot be saved",
        (int64_t)l->fd, (int64_t)watch.fd);
  struct ckpt_watch *entry = list_add(&l->c->arena, &l->c->watches, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = watch;
  return 0;
}

static long describe_set(struct looking *l, uint32_t set, char *buffer) {
  struct proc_lines lines;
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/fdinfo/%d", (int64_t)l->fd);
  long result = proc_lines_open(&lines, path, buffer, LINE_MOST);
  if (result < 0)
    return fail(l->c, result, "%s: %s", path, text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));)
    if (text_starts(line, "tfd:"))
      result = add_watch(l, set, line + sizeof "tfd:" - 1);
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result;
}

long describe_epoll_sets(struct looking *l, const struct list *inodes) {
  struct checkpoint *c = l->c;
  const struct ckpt_description *all = c->descriptions.entries;
  const struct inode *known = inodes->entries;
  char *buffer = arena_take(&c->arena, LINE_MOST);
  if (!buffer)
    return -ENOMEM;
  for (size_t i = 0; i < c->descriptions.count; i++) {
    l->fd = known[i].fd;
    long result = all[i].kind == CKPT_DESC_EPOLL && carries_shared(c, all[i].shared)
                      ? describe_set(l, (uint32_t)i, buffer)
                      : 0;
    if (result < 0)
      return result;
  }
  return 0;
}
