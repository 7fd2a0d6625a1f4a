/* Inotify instances: what they watch. fdinfo tells a watched file by its inode, and an ordinary user cannot
 * ask the kernel for its path (open_by_handle_at). So it has to be looked for: among what the program was
 * started with, has open and mapped, and where it works; then below the directories that it watches, below
 * its own, and below /etc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "core/dir.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "open_files.h"

enum {
  LINE_MOST = 4096,
  LOOKS_MOST = 500000, /* names in directories: about a second */
  FILTER = 1 << 16,
  HANDLE_MOST = 128, /* MAX_HANDLE_SZ */
  WORDS_MOST = 1 << 18,
};

struct handle {
  uint32_t size;
  int32_t type;
  uint8_t bytes[HANDLE_MOST];
};

/* What one watch watches. */
struct wanted {
  uint64_t ino;
  uint32_t major, minor;
  struct handle handle;
};

struct search {
  struct looking *l;
  struct list wanted;      /* struct wanted, beside c->inotify */
  struct list directories; /* to look into: one path behind the other */
  size_t next;             /* of those */
  size_t missing;
  unsigned looks;
  uint8_t inodes[FILTER / 8]; /* a bit for each that may be one: most names are none */
  struct dir dir;
  char path[PROC_PATH_MAX];
};

/* ---- Is it this one? -------------------------------------------------------------------------------- */

/* The device of an inode is not always what fstat calls it; a handle is sharper, where there are such. */
static bool is_same(const struct wanted *wanted, const struct stat *st, int fd) {
  struct handle handle = {.size = HANDLE_MOST};
  int mount;
  if (wanted->ino != st->st_ino)
    return false;
  if (wanted->handle.size && sys(SYS_(name_to_handle_at), fd, "", &handle, &mount, AT_EMPTY_PATH) == 0)
    return handle.size == wanted->handle.size && handle.type == wanted->handle.type &&
           memcmp(handle.bytes, wanted->handle.bytes, handle.size) == 0;
  return wanted->major == major(st->st_dev) && wanted->minor == minor(st->st_dev);
}

static long look_later(struct search *s, const char *directory) {
  long offset = list_add_bytes(&s->l->c->arena, &s->directories, directory, strlen(directory) + 1);
  return offset < 0 ? offset : 0;
}

static long found(struct search *s, struct ckpt_inotify *watch, const struct stat *st, int fd) {
  char link[64], name[PROC_PATH_MAX];
  struct text text = text_in(link, sizeof link);
  text_format(&text, "/proc/thread-self/fd/%d", (int64_t)fd);
  long n = sys(SYS_(readlinkat), AT_FDCWD, link, name, sizeof name - 1);
  if (n < 0)
    return n;
  name[n] = 0;
  long file = add_file(s->l->c, st, name, CKPT_FILE_WATCHED);
  if (file < 0)
    return file;
  watch->file = (uint32_t)file;
  s->missing--;
  return S_ISDIR(st->st_mode) ? look_later(s, name) : 0;
}

static bool may_be_wanted(const struct search *s, uint64_t ino) {
  return s->inodes[ino % FILTER / 8] & 1 << ino % 8;
}

/* Is what this path leads to watched? An O_PATH descriptor is no opening that a watch would see. */
static long consider(struct search *s, const char *path, int flags) {
  struct ckpt_inotify *watches = s->l->c->inotify.entries;
  const struct wanted *wanted = s->wanted.entries;
  struct stat st;
  long result = 0;
  int fd = (int)sys(SYS_(openat), AT_FDCWD, path, O_PATH | O_CLOEXEC | flags);
  if (fd < 0)
    return 0;
  if (sys(SYS_(fstat), fd, &st) == 0 && may_be_wanted(s, st.st_ino))
    for (size_t i = 0; i < s->wanted.count && result == 0; i++)
      if (!watches[i].file && is_same(&wanted[i], &st, fd))
        result = found(s, &watches[i], &st, fd);
  sys(SYS_(close), fd);
  return result;
}

/* A path and the directories above it. */
static long consider_all(struct search *s, const char *path) {
  char part[PROC_PATH_MAX];
  if (path[0] != '/')
    return 0;
  text_copy(part, sizeof part, path);
  for (size_t n = strlen(part); s->missing;) {
    long result = consider(s, n ? part : "/", 0);
    if (result < 0 || n == 0)
      return result;
    while (part[--n] != '/')
      ;
    part[n] = 0;
  }
  return 0;
}

/* ---- Where to look ---------------------------------------------------------------------------------- */

/* Words that stand one behind the other: arguments, and variables (NAME=PATH). */
static long consider_words(struct search *s, const char *path) {
  char *words = arena_take(&s->l->c->arena, WORDS_MOST);
  long size = words ? sys_read_file(path, words, WORDS_MOST) : -ENOMEM;
  for (const char *word = words; word < words + size && s->missing; word += strlen(word) + 1) {
    const char *value = word;
    while (*value && *value != '=')
      value++;
    long result = consider(s, word, 0);
    if (result == 0 && *value == '=')
      result = consider(s, value + 1, 0);
    if (result < 0)
      return result;
  }
  return words ? 0 : -ENOMEM;
}

static long consider_files(struct search *s) {
  struct checkpoint *c = s->l->c;
  long result = 0;
  for (size_t i = 0; i < c->files.count && s->missing && result == 0; i++)
    result = consider_all(s, string_at(c, ((struct ckpt_file *)c->files.entries)[i].path));
  return result;
}

static bool is_directory(const struct dir *dir) {
  return dir->type == DT_DIR || dir->type == DT_UNKNOWN;
}

/* The names in one directory: those that may be watched are looked at, directories wait for their turn. */
static long look_into(struct search *s, const char *directory) {
  struct statfs fs;
  long result = 0;
  if (dir_open(&s->dir, AT_FDCWD, directory) < 0)
    return 0;
  bool real = sys(SYS_(fstatfs), s->dir.fd, &fs) == 0 && !is_of_the_kernel(&fs);
  for (const char *name; real && s->missing && result == 0 && (name = dir_next(&s->dir)); s->looks++) {
    if (!may_be_wanted(s, s->dir.ino) && !is_directory(&s->dir))
      continue;
    struct text text = text_in(s->path, sizeof s->path);
    text_format(&text, "%s/%s", text_equal(directory, "/") ? "" : directory, name);
    size_t missing = s->missing;
    if (!text.cut)
      result = consider(s, s->path, O_NOFOLLOW);
    if (result == 0 && is_directory(&s->dir) && s->missing == missing && !text.cut)
      result = look_later(s, s->path);
  }
  dir_close(&s->dir);
  return result;
}

static long look_below(struct search *s, const char *root) {
  long result = look_later(s, root);
  while (s->missing && s->next < s->directories.count && s->looks < LOOKS_MOST && result == 0) {
    const char *directory = (const char *)s->directories.entries + s->next;
    s->next += strlen(directory) + 1;
    result = look_into(s, directory);
  }
  return result;
}

static long find_paths(struct search *s) {
  const char *cwd = string_at(s->l->c, s->l->c->process.cwd);
  long result = consider_words(s, "/proc/thread-self/cmdline");
  if (result == 0)
    result = consider_words(s, "/proc/thread-self/environ");
  if (result == 0)
    result = consider_all(s, cwd);
  if (result == 0)
    result = consider_files(s);
  if (result == 0 && s->missing)
    result = look_below(s, cwd);
  return result == 0 && s->missing ? look_below(s, "/etc") : result;
}

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
  s->inodes[wanted->ino % FILTER / 8] |= (uint8_t)(1 << wanted->ino % 8);
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
    result = find_paths(s);
  return result == 0 && s && s->missing ? refuse_missing(s, inodes) : result;
}
