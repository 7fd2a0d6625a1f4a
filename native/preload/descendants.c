/* Finding the descendants of a process, which become members of the job. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/dir.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "members.h"

/* A thread of it that has not ended, but for the main one; 0: there is none. */
static int32_t other_thread(int32_t pid) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  struct dir dir;
  uint64_t tid;
  int32_t found = 0;
  text_format(&text, "/proc/%d/task", (int64_t)pid);
  if (dir_open(&dir, AT_FDCWD, path) < 0)
    return 0;
  for (const char *name; !found && (name = dir_next(&dir));)
    if (text_is_decimal(name, &tid) && (int32_t)tid != pid && proc_lives((int32_t)tid))
      found = (int32_t)tid;
  dir_close(&dir);
  return found;
}

/* The thread that calls exec takes the id of the main one, which has ended by then: who has looked at the one
 * too early and at the other too late finds neither, and looks again. */
int32_t living_thread(int32_t pid) {
  int32_t found = 0;
  for (int look = 0; look < 3 && !found; look++)
    found = proc_lives(pid) ? pid : other_thread(pid);
  return found;
}

static bool is_known(const struct checkpoint *c, int32_t pid) {
  const struct member *members = c->job->members.entries;
  for (size_t i = 0; i < c->job->members.count; i++)
    if (members[i].pid == pid && members[i].stage != STAGE_ENDED)
      return true;
  return false;
}

/* One who has ended belongs to its parent alone, and is described there. */
static long add_member(struct checkpoint *c, int32_t pid, int32_t parent) {
  if (!living_thread(pid) || is_known(c, pid))
    return 0;
  long ignored = ignore_looks_at(c, pid, parent);
  if (ignored)
    return ignored < 0 ? ignored : 0;
  struct member *member = list_add(&c->arena, &c->job->members, sizeof *member);
  if (!member)
    return -ENOMEM;
  *member =
      (struct member){.pid = pid, .parent = parent, .socket = -1, .offering = {.memory = -1, .pagemap = -1}};
  return 0;
}

/* What may not be looked at is another's. */
static bool has_id(int32_t pid, char *environment, size_t size) {
  long n = proc_read(pid, "environ", environment, size);
  for (long at = 0; at < n; at += (long)strlen(environment + at) + 1)
    if (text_equal(environment + at, ckpt_state.job))
      return true;
  return false;
}

static long add_children_of(struct checkpoint *c, int32_t pid, const char *tid, enum adding adding) {
  char path[64], *text = c->scratch;
  char *environment = c->scratch + SCRATCH / 2;
  size_t size = adding == ADD_ORPHANS_WITH_ID ? SCRATCH / 2 : SCRATCH;
  struct text words = text_in(path, sizeof path);
  text_format(&words, "/proc/%d/task/%s/children", (int64_t)pid, tid);
  long n = sys_read_file(path, text, size);
  if (n == -ENOENT || n == -ESRCH)
    return 0;
  if (n < 0 || n == (long)size - 1)
    return fail(c, n < 0 ? n : -E2BIG, "%s cannot be read: %s", path, text_errno(n < 0 ? n : -E2BIG));
  long result = 0;
  for (const char *at = text; result == 0;) {
    text_skip_spaces(&at);
    int32_t child = (int32_t)text_take_decimal(&at);
    if (!child)
      break;
    if (child != c->process.pid && (adding != ADD_ORPHANS_WITH_ID || has_id(child, environment, SCRATCH / 2)))
      result = add_member(c, child, adding == ADD_CHILDREN ? pid : 0);
  }
  return result;
}

long job_add_children(struct checkpoint *c, int32_t pid, enum adding adding) {
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  char path[64];
  struct text text = text_in(path, sizeof path);
  uint64_t tid;
  if (!dir)
    return -ENOMEM;
  text_format(&text, "/proc/%d/task", (int64_t)pid);
  long result = dir_open(dir, AT_FDCWD, path);
  if (result < 0)
    return result == -ENOENT ? 0 : fail(c, result, "%s: %s", path, text_errno(result));
  for (const char *name; result == 0 && (name = dir_next(dir));)
    if (text_is_decimal(name, &tid))
      result = add_children_of(c, pid, name, adding);
  if (result == 0)
    result = dir->error;
  dir_close(dir);
  return result;
}
