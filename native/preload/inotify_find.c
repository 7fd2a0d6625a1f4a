/* Where files and directories are that inotify instances watch: what a program was started with, has open and
 * mapped, and where it works; then below the directories that it watches, below its own, below /etc and
 * /usr/share, and below those that its variables name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "core/sys.h"
#include "core/text.h"
#include "inotify.h"
#include "open_files.h"

enum {
  LOOKS_MOST = 500000, /* names in directories: about a second */
  WORDS_MOST = 1 << 18,
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
  return s->inodes[ino % INODE_FILTER / 8] & 1 << ino % 8;
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

/* Of NAME=VALUE. */
static const char *value_of(const char *word) {
  while (*word && *word != '=')
    word++;
  return *word ? word + 1 : word;
}

/* Words that stand one behind the other: arguments, and variables (NAME=PATH). */
static long consider_words(struct search *s, const char *path) {
  char *words = arena_take(&s->l->c->arena, WORDS_MOST);
  long size = words ? sys_read_file(path, words, WORDS_MOST) : -ENOMEM;
  for (const char *word = words; word < words + size && s->missing; word += strlen(word) + 1) {
    long result = consider(s, word, 0);
    if (result == 0)
      result = consider(s, value_of(word), 0);
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

/* One level after the other. */
static long look_around(struct search *s) {
  long result = 0;
  while (s->missing && s->next < s->directories.count && s->looks < LOOKS_MOST && result == 0) {
    const char *directory = (const char *)s->directories.entries + s->next;
    s->next += strlen(directory) + 1;
    result = look_into(s, directory);
  }
  return result;
}

/* Those that variables name. */
static long add_variables(struct search *s) {
  char *words = arena_take(&s->l->c->arena, WORDS_MOST);
  long size = words ? sys_read_file("/proc/thread-self/environ", words, WORDS_MOST) : -ENOMEM;
  long result = words ? 0 : size;
  for (const char *word = words; word < words + size && result == 0; word += strlen(word) + 1)
    if (value_of(word)[0] == '/')
      result = look_later(s, value_of(word));
  return result;
}

static long look_below(struct search *s, const char *root) {
  long result = s->missing ? look_later(s, root) : 0;
  return result == 0 ? look_around(s) : result;
}

long inotify_find(struct search *s) {
  const char *cwd = string_at(s->l->c, s->l->c->process.cwd);
  long result = consider_words(s, "/proc/thread-self/cmdline");
  if (result == 0)
    result = consider_words(s, "/proc/thread-self/environ");
  if (result == 0)
    result = consider_all(s, cwd);
  if (result == 0)
    result = consider_files(s);
  if (result == 0)
    result = look_below(s, cwd);
  if (result == 0)
    result = look_below(s, "/etc");
  if (result == 0 && s->missing)
    result = add_variables(s);
  return result == 0 ? look_below(s, "/usr/share") : result;
}
