/* Processes that are left out of a job (--ignore): they are not asked, go on undisturbed, and are not in the
 * image. What only they have the other end of counts as closed: so it is on restart. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/dir.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "members.h"

/* A process with its start: later another one may have the same id. */
struct left_out {
  int32_t pid;
  uint64_t start;
};

static uint64_t start_of(int32_t pid) {
  char stat[1024];
  return proc_read(pid, "stat", stat, sizeof stat) > 0 ? proc_stat_field(stat, 22) : 0;
}

static bool has(const struct checkpoint *c, int32_t pid) {
  const struct left_out *all = c->left_out.entries;
  for (size_t i = 0; i < c->left_out.count; i++)
    if (all[i].pid == pid && all[i].start == start_of(pid))
      return true;
  return false;
}

/* A number is an id; a name is what the kernel calls the process, which has no more than 15 bytes. */
static bool is_meant(const char *word, size_t length, int32_t pid, const char *name) {
  enum { NAME_MOST = 15 };
  const char *end = word;
  uint64_t number = text_take_decimal(&end);
  if (length && end == word + length)
    return number == (uint64_t)pid;
  size_t most = length < NAME_MOST ? length : NAME_MOST;
  return most && strlen(name) == most && memcmp(name, word, most) == 0;
}

static const char *list_of(const struct checkpoint *c) {
  return c->request.ignore[0] ? c->request.ignore : ckpt_state.ignore;
}

static bool is_in_list(const char *list, int32_t pid, const char *name) {
  for (const char *at = list; *at;) {
    size_t length = 0;
    while (at[length] && at[length] != ',')
      length++;
    if (is_meant(at, length, pid, name))
      return true;
    at += length + (at[length] == ',');
  }
  return false;
}

static long leave_out(struct checkpoint *c, int32_t pid) {
  struct left_out *entry = list_add(&c->arena, &c->left_out, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = (struct left_out){.pid = pid, .start = start_of(pid)};
  return 1;
}

long ignore_looks_at(struct checkpoint *c, int32_t pid, int32_t parent) {
  char name[32];
  if (c->left_out.count && has(c, pid))
    return 1;
  if (!list_of(c)[0] && !c->left_out.count)
    return 0;
  proc_name(pid, name);
  return is_in_list(list_of(c), pid, name) || has(c, parent) ? leave_out(c, pid) : 0;
}

/* ---- Once all stand still ----------------------------------------------------------------------------- */

/* One that has the memory or the table of descriptors of a member would change them under our hands. */
static long refuse_shared(struct checkpoint *c, int32_t pid, int32_t member) {
  static const struct {
    int type;
    const char *words;
  } kinds[] = {{1 /* KCMP_VM */, "memory"}, {2 /* KCMP_FILES */, "descriptors"}};
  char name[32];
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (sys(SYS_(kcmp), pid, member, kinds[i].type, 0, 0) != 0)
      continue;
    proc_name(pid, name);
    return fail(c, -EOPNOTSUPP,
                "process %d (\"%s\") cannot be left out: it has the %s of process %d in common with it",
                (int64_t)pid, name, kinds[i].words, (int64_t)member);
  }
  return 0;
}

long ignore_finish(struct checkpoint *c) {
  const struct member *members = c->job->members.entries;
  long result = is_in_list(list_of(c), c->process.pid, "")
                    ? fail(c, -EINVAL, "the process that is to be saved cannot be left out")
                    : 0;
  /* The list grows by those that these turn out to have started. */
  for (size_t i = 0; i < c->left_out.count && result == 0; i++) {
    int32_t pid = ((const struct left_out *)c->left_out.entries)[i].pid;
    result = job_add_children(c, pid, ADD_CHILDREN);
    if (result == 0)
      result = refuse_shared(c, pid, c->process.pid);
    for (size_t m = 0; m < c->job->members.count && result == 0; m++)
      if (members[m].stage != STAGE_ENDED)
        result = refuse_shared(c, pid, members[m].pid);
  }
  return result;
}

size_t ignore_size(size_t count) {
  return count * sizeof(struct left_out);
}

/* ---- What they have ----------------------------------------------------------------------------------- */

/* The link of a descriptor can be read when the descriptor can, and so with writing. */
static bool is_open(const struct dir *dir, const char *fd, const struct inode *inode, uint32_t modes) {
  struct stat link, st;
  return sys(SYS_(newfstatat), dir->fd, fd, &st, 0) == 0 && st.st_ino == inode->ino &&
         st.st_dev == inode->dev && sys(SYS_(newfstatat), dir->fd, fd, &link, AT_SYMLINK_NOFOLLOW) == 0 &&
         link.st_mode & modes;
}

bool process_has_open(int32_t pid, struct dir *dir, const struct inode *inode, uint32_t modes) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  uint64_t fd;
  bool found = false;
  text_format(&text, "/proc/%d/fd", (int64_t)pid);
  if (dir_open(dir, AT_FDCWD, path) < 0)
    return false;
  for (const char *name; !found && (name = dir_next(dir));)
    found = text_is_decimal(name, &fd) && is_open(dir, name, inode, modes);
  dir_close(dir);
  return found;
}

bool ignored_has(struct checkpoint *c, const struct inode *inode, uint32_t access) {
  const struct left_out *all = c->left_out.entries;
  struct dir *dir = c->left_out.count ? arena_take(&c->arena, sizeof *dir) : NULL;
  for (size_t i = 0; dir && i < c->left_out.count; i++)
    if (process_has_open(all[i].pid, dir, inode, access == O_RDONLY ? S_IRUSR : S_IWUSR))
      return true;
  return false;
}
