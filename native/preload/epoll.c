/* Epoll sets: what they watch, from fdinfo. */
#include <errno.h>
#include <string.h>

#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "open_files.h"

enum { LINE_MOST = 4096 };

/* The number behind this word, from `at` on. */
static bool take_field(const char **at, const char *word, uint64_t *value) {
  while (**at && **at != '\n' && !text_starts(*at, word))
    (*at)++;
  if (!text_starts(*at, word))
    return false;
  *at += strlen(word);
  text_skip_spaces(at);
  *value = text_take_hex(at);
  return true;
}

/* After "tfd:" of "tfd:        5 events:       19 data:                5  pos:0 ino:3c sdev:e". */
static long add_watch(struct looking *l, struct list *listed, uint32_t set, const char *at) {
  struct watched *watched = list_add(&l->c->arena, listed, sizeof *watched);
  struct ckpt_watch *watch = list_add(&l->c->arena, &l->c->watches, sizeof *watch);
  uint64_t events;
  if (!watched || !watch)
    return -ENOMEM;
  *watch = (struct ckpt_watch){.set = set};
  text_skip_spaces(&at);
  watch->fd = (int32_t)text_take_decimal(&at);
  if (!take_field(&at, "events:", &events) || !take_field(&at, "data:", &watch->data) ||
      !take_field(&at, "ino:", &watched->ino) || !take_field(&at, "sdev:", &watched->dev))
    return fail(l->c, -EPROTO, "descriptor %d: its fdinfo cannot be understood", (int64_t)l->fd);
  watch->events = (uint32_t)events;
  return 0;
}

/* Of the set's, the one at `index`: which others had its number? */
static void count_others(const struct ckpt_watch *watches, size_t count, size_t index,
                         struct watched *watched) {
  uint32_t before = 0, behind = 0;
  for (size_t i = 0; i < index; i++)
    before += watches[i].fd == watches[index].fd;
  for (size_t i = index + 1; i < count && !before && !behind; i++)
    behind += watches[i].fd == watches[index].fd;
  watched->turn = before;
  watched->alone = !before && !behind;
}

static long find_all(struct looking *l, const struct list *inodes, const struct list *listed) {
  struct ckpt_watch *watches =
      (struct ckpt_watch *)l->c->watches.entries + l->c->watches.count - listed->count;
  struct watched *watched = listed->entries;
  for (size_t i = 0; i < listed->count; i++) {
    count_others(watches, listed->count, i, &watched[i]);
    if (!find_watched(l, inodes, &watched[i], &watches[i]))
      return fail(l->c, -EOPNOTSUPP,
                  "descriptor %d is an epoll set%s that watches a file that was descriptor %d, %s: this "
                  "cannot be saved",
                  (int64_t)l->fd, is_in_flight(l->c, l->fd) ? " in flight" : "", (int64_t)watches[i].fd,
                  watches[i].target ? "which nobody but the process that has it could watch again"
                                    : "which has been closed or reused since");
  }
  return 0;
}

static long describe_set(struct looking *l, const struct list *inodes, uint32_t set, char *buffer) {
  struct proc_lines lines;
  struct list listed = {0}; /* struct watched */
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/fdinfo/%d", (int64_t)l->fd);
  long result = proc_lines_open(&lines, path, buffer, LINE_MOST);
  if (result < 0)
    return fail(l->c, result, "%s: %s", path, text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));)
    if (text_starts(line, "tfd:"))
      result = add_watch(l, &listed, set, line + sizeof "tfd:" - 1);
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result < 0 ? result : find_all(l, inodes, &listed);
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
                      ? describe_set(l, inodes, (uint32_t)i, buffer)
                      : 0;
    if (result < 0)
      return result;
  }
  return 0;
}
