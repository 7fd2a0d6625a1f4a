/* Inotify instances: what they watch. fdinfo tells a watched file by its inode, and an ordinary user cannot
 * ask the kernel for its path (open_by_handle_at). So it has to be looked for (inotify_find.c). */
#include <errno.h>
#include <string.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "inotify.h"
#include "open_files.h"

enum { LINE_MOST = 4096 };

/* ---- What is watched -------------------------------------------------------------------------------- */

/* What stands behind this name in a line. */
static const char *field(const char *line, const char *name) {
  while (*line && !text_starts(line, name))
    line++;
  return *line ? line + strlen(name) : line;
}

static uint64_t hex_field(const char *line, const char *name) {
  const char *at = field(line, name);
  return text_take_hex(&at);
}

/* The bytes of a handle, two digits each. */
static void take_handle(struct handle *handle, const char *line) {
  const char *at = field(line, " f_handle:");
  handle->size = (uint32_t)hex_field(line, " fhandle-bytes:");
  handle->type = (int32_t)hex_field(line, " fhandle-type:");
  if (handle->size > HANDLE_MOST || strlen(at) < 2 * (size_t)handle->size)
    handle->size = 0;
  for (uint32_t i = 0; i < handle->size; i++) {
    const char *digits = (const char[]){at[2 * i], at[2 * i + 1], 0};
    handle->bytes[i] = (uint8_t)text_take_hex(&digits);
  }
}

/* "inotify wd:1 ino:13 sdev:fe00000 mask:fff ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:1300..."
 */
static long add_watch(struct search *s, uint32_t instance, const char *line) {
  struct checkpoint *c = s->l->c;
  struct ckpt_inotify *watch = list_add(&c->arena, &c->inotify, sizeof *watch);
  struct wanted *wanted = list_add(&c->arena, &s->wanted, sizeof *wanted);
  if (!watch || !wanted)
    return -ENOMEM;
  const char *number = field(line, " wd:");
  uint64_t device = hex_field(line, " sdev:");
  *watch = (struct ckpt_inotify){.instance = instance,
                                 .number = (int32_t)text_take_decimal(&number),
                                 .mask = (uint32_t)hex_field(line, " mask:")};
  wanted->ino = hex_field(line, " ino:");
  wanted->major = (uint32_t)(device >> 20);
  wanted->minor = (uint32_t)(device & 0xfffff);
  take_handle(&wanted->handle, line);
  s->inodes[wanted->ino % INODE_FILTER / 8] |= (uint8_t)(1 << wanted->ino % 8);
  s->missing++;
  if (watch->number < 1 || watch->number > CKPT_INOTIFY_MOST)
    return fail(c, -EOPNOTSUPP, "descriptor %d is an inotify instance that has made more than %u watches",
                (int64_t)s->l->fd, (uint64_t)CKPT_INOTIFY_MOST);
  return 0;
}

static long describe_instance(struct search *s, uint32_t instance, char *buffer) {
  struct proc_lines lines;
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/fdinfo/%d", (int64_t)s->l->fd);
  long result = proc_lines_open(&lines, path, buffer, LINE_MOST);
  if (result < 0)
    return fail(s->l->c, result, "%s: %s", path, text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));)
    if (text_starts(line, "inotify "))
      result = add_watch(s, instance, line);
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result;
}

static long refuse_missing(struct search *s, const struct list *inodes) {
  const struct ckpt_inotify *watches = s->l->c->inotify.entries;
  const struct wanted *wanted = s->wanted.entries;
  const struct inode *known = inodes->entries;
  size_t i = 0;
  while (watches[i].file)
    i++;
  return fail(
      s->l->c, -EOPNOTSUPP,
      "descriptor %d is an inotify instance, whose watch %d is on a file that is not found: inode %u of "
      "device %u:%u",
      (int64_t)known[watches[i].instance].fd, (int64_t)watches[i].number, wanted[i].ino,
      (uint64_t)wanted[i].major, (uint64_t)wanted[i].minor);
}

long describe_inotify(struct looking *l, const struct list *inodes) {
  struct checkpoint *c = l->c;
  const struct ckpt_description *all = c->descriptions.entries;
  const struct inode *known = inodes->entries;
  struct search *s = NULL;
  char *buffer = NULL;
  long result = 0;
  for (size_t i = 0; i < c->descriptions.count && result == 0; i++) {
    if (all[i].kind != CKPT_DESC_INOTIFY || !carries_shared(c, all[i].shared))
      continue;
    if (!s) {
      s = arena_take(&c->arena, sizeof *s);
      buffer = arena_take(&c->arena, LINE_MOST);
      if (!s || !buffer)
        return -ENOMEM;
      s->l = l;
    }
    l->fd = known[i].fd;
    result = describe_instance(s, (uint32_t)i, buffer);
  }
  if (result == 0 && s)
    result = inotify_find(s);
  return result == 0 && s && s->missing ? refuse_missing(s, inodes) : result;
}
