/* The job directory: a hidden directory is filled, synced and renamed, so that an image is there whole or not
 * at all. Whoever fills one holds an flock on it; one without is what a killed writer left, and is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "core/dir.h"
#include "core/sys.h"
#include "core/text.h"
#include "job.h"

#define TEMPORARY ".ckpt-"
#define TEMPORARY_LINK ".latest-"
#define SUFFIX ".ckpt"
enum { DIGITS = 6 };

/* The number in "000042.ckpt", or 0. */
static uint64_t image_number(const char *name) {
  const char *at = name;
  uint64_t number = text_take_decimal(&at);
  return at - name >= DIGITS && text_equal(at, SUFFIX) ? number : 0;
}

static void image_name(struct text *text, uint64_t number) {
  text_add_padded(text, number, DIGITS);
  text_add(text, SUFFIX);
}

/* Removes a directory of two levels at the most: that is what an image is. */
static void remove_tree(struct checkpoint *c, int parent, const char *name) {
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  if (!dir || dir_open(dir, parent, name) < 0)
    return;
  for (const char *entry; (entry = dir_next(dir));)
    if (sys(SYS_(unlinkat), dir->fd, entry, 0) == -EISDIR)
      remove_tree(c, dir->fd, entry);
  dir_close(dir);
  sys(SYS_(unlinkat), parent, name, AT_REMOVEDIR);
}

static void remove_if_stale(struct checkpoint *c, const char *name) {
  long fd = sys(SYS_(openat), c->job_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return;
  if (sys(SYS_(flock), fd, LOCK_EX | LOCK_NB) == 0)
    remove_tree(c, c->job_fd, name);
  sys(SYS_(close), fd);
}

/* Removes leftovers and finds the highest number in use. */
static long survey(struct checkpoint *c, uint64_t *highest) {
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  if (!dir)
    return -ENOMEM;
  long result = dir_open(dir, c->job_fd, ".");
  if (result < 0)
    return result;
  for (const char *name; (name = dir_next(dir));) {
    uint64_t number = image_number(name);
    if (number > *highest)
      *highest = number;
    if (text_starts(name, TEMPORARY))
      remove_if_stale(c, name);
    if (text_starts(name, TEMPORARY_LINK)) /* whoever still needs it has made an older image than ours */
      sys(SYS_(unlinkat), c->job_fd, name, 0);
  }
  result = dir->error;
  dir_close(dir);
  return result;
}

static long make_directory(struct checkpoint *c, const char *path, bool *made) {
  long result = sys(SYS_(mkdirat), AT_FDCWD, path, 0700);
  *made = result == 0;
  if (result == 0 || result == -EEXIST)
    return 0;
  return fail(c, result, "%s cannot be created: %s; CKPT_DIR says where images go", path, text_errno(result));
}

static void name_job(struct checkpoint *c) {
  struct text dir = text_in(c->job_dir, sizeof c->job_dir);
  if (ckpt_state.resume.job_dir[0]) {
    text_add(&dir, ckpt_state.resume.job_dir);
    return;
  }
  text_format(&dir, "%s/%s", ckpt_state.dir, ckpt_state.name);
  if (!ckpt_state.name[0])
    text_format(&dir, "%s-%d", ckpt_state.program, (int64_t)c->process.pid);
}

static long open_job(struct checkpoint *c) {
  name_job(c);
  char *parent = arena_take(&c->arena, sizeof c->job_dir);
  if (!parent)
    return -ENOMEM;
  text_copy(parent, sizeof c->job_dir, c->job_dir);
  size_t slash = strlen(parent);
  while (slash > 1 && parent[slash - 1] != '/')
    slash--;
  parent[slash > 1 ? slash - 1 : 1] = 0;
  long result = make_directory(c, parent, &c->made_dir);
  if (result == 0)
    result = make_directory(c, c->job_dir, &c->made_job_dir);
  if (result < 0)
    return result;
  long fd = sys(SYS_(openat), AT_FDCWD, c->job_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return fail(c, fd, "%s: %s", c->job_dir, text_errno(fd));
  c->job_fd = (int)fd;
  long offset = add_string(c, text_base(c->job_dir));
  c->image.job = offset < 0 ? 0 : (ckpt_string)offset;
  return offset < 0 ? offset : 0;
}

/* A new hidden directory, locked. Between mkdir and flock another writer may take it for a leftover: then the
 * next name is tried. */
static long open_temporary(struct checkpoint *c) {
  struct stat st;
  for (uint64_t attempt = 0; attempt < 100; attempt++) {
    struct text name = text_in(c->temp_name, sizeof c->temp_name);
    text_format(&name, TEMPORARY "%d-%u", (int64_t)c->process.pid, c->begin_ns + attempt);
    long result = sys(SYS_(mkdirat), c->job_fd, c->temp_name, 0700);
    if (result == -EEXIST)
      continue;
    long fd =
        result < 0 ? result : sys(SYS_(openat), c->job_fd, c->temp_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -ENOENT)
      continue;
    if (fd < 0) {
      c->temp_name[0] = 0;
      return fail(c, fd, "%s cannot be written: %s", c->job_dir, text_errno(fd));
    }
    if (sys(SYS_(flock), fd, LOCK_EX | LOCK_NB) == 0 && sys(SYS_(fstat), fd, &st) == 0 && st.st_nlink > 0) {
      c->temp_fd = (int)fd;
      return owner_give(c, c->temp_fd);
    }
    sys(SYS_(close), fd);
  }
  return fail(c, -EBUSY, "%s: no name for a temporary directory is free", c->job_dir);
}

/* Members of other users make their own files in it. Nobody else comes there: the job's directory is closed.
 */
static long let_others_in(const struct checkpoint *c) {
  long result = sys(SYS_(mkdirat), c->temp_fd, CARRIED_DIR, 01777);
  return result < 0 ? result : sys(SYS_(fchmod), c->temp_fd, 01733);
}

static long keep_others_out(const struct checkpoint *c) {
  long result = sys(SYS_(unlinkat), c->temp_fd, CARRIED_DIR, AT_REMOVEDIR);
  if (result == -ENOTEMPTY || result == -EEXIST)
    result = sys(SYS_(fchmodat), c->temp_fd, CARRIED_DIR, 0700);
  return result < 0 ? result : sys(SYS_(fchmod), c->temp_fd, 0700);
}

static long make_temporary(struct checkpoint *c) {
  long result = open_job(c);
  if (result < 0)
    return result;
  result = survey(c, &c->image.number);
  if (result < 0)
    return fail(c, result, "%s: %s", c->job_dir, text_errno(result));
  c->image.number++;
  result = open_temporary(c);
  if (result == 0 && job_has_others(c))
    result = let_others_in(c);
  return result;
}

long store_begin(struct checkpoint *c) {
  long result = c->request.op == CKPT_REQUEST_JOIN ? member_store(c) : make_temporary(c);
  if (result < 0)
    return result;
  char name[32];
  struct text text = text_in(name, sizeof name);
  text_format(&text, "%d.core", (int64_t)c->process.pid);
  long fd = sys(SYS_(openat), c->temp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail(c, fd, "%s/%s/%s: %s", c->job_dir, c->temp_name, name, text_errno(fd));
  c->core_fd = (int)fd;
  return owner_give(c, c->core_fd);
}

/* A convenience for people; restart looks for the highest number itself. */
static void point_latest(struct checkpoint *c, const char *name) {
  char link[96];
  struct text text = text_in(link, sizeof link);
  text_format(&text, TEMPORARY_LINK "%d-%u", (int64_t)c->process.pid, c->begin_ns);
  if (sys(SYS_(symlinkat), name, c->job_fd, link) == 0 &&
      sys(SYS_(renameat), c->job_fd, link, c->job_fd, "latest") < 0)
    sys(SYS_(unlinkat), c->job_fd, link, 0);
}

static long publish(struct checkpoint *c) {
  for (;; c->image.number++) {
    char name[32];
    struct text text = text_in(name, sizeof name);
    image_name(&text, c->image.number);
    /* A directory replaces no other one that has something in it, and an image always has: NFS knows nothing
     * of RENAME_NOREPLACE. */
    long result = sys(SYS_(renameat), c->job_fd, c->temp_name, c->job_fd, name);
    if (result == -EEXIST || result == -ENOTEMPTY || result == -ENOTDIR)
      continue;
    if (result < 0)
      return fail(c, result, "%s/%s: %s", c->job_dir, name, text_errno(result));
    c->temp_name[0] = 0;
    text = text_in(c->image_path, sizeof c->image_path);
    text_format(&text, "%s/%s", c->job_dir, name);
    point_latest(c, name);
    return 0;
  }
}

static void close_all(struct checkpoint *c) {
  int *fds[] = {&c->core_fd, &c->temp_fd, &c->job_fd};
  for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
    if (*fds[i] >= 0)
      sys(SYS_(close), *fds[i]);
    *fds[i] = -1;
  }
}

long store_end(struct checkpoint *c) {
  long result = sys(SYS_(fsync), c->core_fd);
  if (c->request.op == CKPT_REQUEST_JOIN) {
    close_all(c);
    return result == 0 ? member_written(c) : fail(c, result, "%s: %s", c->job_dir, text_errno(result));
  }
  if (result == 0 && c->job)
    result = job_wait_written(c);
  if (result == 0 && job_has_others(c))
    result = keep_others_out(c);
  if (result == 0)
    result = sys(SYS_(fsync), c->temp_fd);
  if (result < 0)
    return fail(c, result, "%s/%s: %s", c->job_dir, c->temp_name, text_errno(result));
  result = publish(c);
  if (result == 0)
    result = sys(SYS_(fsync), c->job_fd);
  if (result < 0)
    return fail(c, result, "%s: %s", c->job_dir, text_errno(result));
  close_all(c);
  return 0;
}

void store_abandon(struct checkpoint *c) {
  if (c->temp_fd >= 0 && c->temp_name[0])
    remove_tree(c, c->job_fd, c->temp_name);
  close_all(c);
  /* Only what this checkpoint made, and only while it is empty. */
  if (c->made_job_dir)
    sys(SYS_(unlinkat), AT_FDCWD, c->job_dir, AT_REMOVEDIR);
  size_t end = strlen(c->job_dir) - strlen(text_base(c->job_dir));
  if (c->made_dir && end > 1) {
    c->job_dir[end - 1] = 0;
    sys(SYS_(unlinkat), AT_FDCWD, c->job_dir, AT_REMOVEDIR);
  }
}
