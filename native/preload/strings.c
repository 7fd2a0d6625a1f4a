/* Words of errors, and the two tables that notes point into: strings and files. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "checkpoint.h"
#include "core/text.h"

long fail(struct checkpoint *c, long code, const char *format, ...) {
  if (c->error[0])
    return code;
  struct text words = text_in(c->error, sizeof c->error);
  va_list list;
  va_start(list, format);
  text_format_list(&words, format, list);
  va_end(list);
  return code;
}

long add_string(struct checkpoint *c, const char *text) {
  if (c->strings.count == 0) {
    long empty = list_add_bytes(&c->arena, &c->strings, "", 1);
    if (empty < 0)
      return empty;
  }
  if (!*text)
    return 0;
  return list_add_bytes(&c->arena, &c->strings, text, strlen(text) + 1);
}

const char *string_at(const struct checkpoint *c, ckpt_string offset) {
  return (const char *)c->strings.entries + offset;
}

long add_file(struct checkpoint *c, const struct stat *st, const char *path, uint32_t flags) {
  struct ckpt_file *files = c->files.entries;
  /* A library is mapped several times in a row: look at the latest first. */
  for (size_t i = c->files.count; i-- > 0;) {
    if (files[i].ino == st->st_ino && files[i].dev == st->st_dev &&
        text_equal(string_at(c, files[i].path), path)) {
      files[i].flags |= flags;
      return (long)i + 1;
    }
  }
  long name = add_string(c, path);
  struct ckpt_file *file = list_add(&c->arena, &c->files, sizeof *file);
  if (name < 0 || !file)
    return -ENOMEM;
  *file = (struct ckpt_file){
      .dev = st->st_dev,
      .ino = st->st_ino,
      .size = (uint64_t)st->st_size,
      .mtime_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
      .rdev = st->st_rdev,
      .mode = st->st_mode,
      .flags = flags,
      .path = (ckpt_string)name,
  };
  return (long)c->files.count;
}
