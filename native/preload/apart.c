/* Threads and processes that are not as a restart makes them: a thread that has rights, descriptors or
 * directories of its own, a process that has its parent's. */
#include <errno.h>
#include <string.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "members.h"
#include "park.h"

enum {
  STATUS_MOST = 4096,
  MEMORY = 1 /* KCMP_VM */,
  DESCRIPTORS = 2 /* KCMP_FILES */,
  DIRECTORIES = 3 /* KCMP_FS */
};

/* Behind the name of the line: its length, until its end. */
static const char *find_line(const char *status, const char *name, size_t *length) {
  const char *line = status;
  while (*line && !text_starts(line, name)) {
    while (*line && *line != '\n')
      line++;
    line += *line != 0;
  }
  for (*length = 0; line[*length] && line[*length] != '\n';)
    ++*length;
  return line;
}

static bool same_line(const char *one, const char *other, const char *name) {
  size_t length, other_length;
  const char *line = find_line(one, name, &length), *other_line = find_line(other, name, &other_length);
  return length == other_length && memcmp(line, other_line, length) == 0;
}

/* Where nobody tells, it is not so. */
static bool kcmp_says(int32_t tid, int type, bool same) {
  long result = sys(SYS_(kcmp), sys(SYS_(gettid)), tid, type, 0, 0);
  return result >= 0 && (result == 0) == same;
}

static const char *what_is_apart(int32_t tid, const char *status, const char *own) {
  static const struct {
    const char *line, *words;
  } rights[] = {{"Seccomp:", "runs under a seccomp filter of its own"},
                {"NoNewPrivs:", "has no_new_privs for itself"},
                {"Uid:", "has user ids of its own"},
                {"Gid:", "has group ids of its own"},
                {"Groups:", "has groups of its own"},
                {"CapInh:", "has capabilities of its own"},
                {"CapPrm:", "has capabilities of its own"},
                {"CapEff:", "has capabilities of its own"},
                {"CapBnd:", "has capabilities of its own"},
                {"CapAmb:", "has capabilities of its own"}};
  for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
    if (!same_line(status, own, rights[i].line))
      return rights[i].words;
  if (kcmp_says(tid, DESCRIPTORS, false))
    return "has descriptors of its own (CLONE_FILES)";
  if (kcmp_says(tid, DIRECTORIES, false))
    return "has a working directory of its own (CLONE_FS)";
  return find_other_world(tid, true);
}

/* All threads come back with what the leading one has. */
long refuse_threads_apart(struct checkpoint *c) {
  struct parked *const *all = c->parked.entries;
  char own[STATUS_MOST], status[STATUS_MOST], name[32];
  long n = proc_read((int32_t)sys(SYS_(gettid)), "status", own, sizeof own);
  for (size_t i = 0; n >= 0 && i < c->parked.count; i++) {
    if (!all[i] || all[i]->ended)
      continue;
    n = proc_read(all[i]->tid, "status", status, sizeof status);
    const char *words = n < 0 ? NULL : what_is_apart(all[i]->tid, status, own);
    if (!words)
      continue;
    proc_name(all[i]->tid, name);
    return fail(c, -EOPNOTSUPP, "thread %d (\"%s\") %s", (int64_t)all[i]->tid, name, words);
  }
  return n < 0 ? fail(c, n, "the state of its threads cannot be read: %s", text_errno(n)) : 0;
}

/* Processes come back apart from each other. A signal to a whole group finds children of shells in vfork: the
 * image would be one of the parent's memory. */
long refuse_in_common(struct checkpoint *c) {
  int32_t parent = (int32_t)sys(SYS_(getppid));
  if (kcmp_says(parent, MEMORY, true))
    return fail(c, -EOPNOTSUPP, "it is about to start a program (vfork) and still has its parent's memory");
  if (kcmp_says(parent, DESCRIPTORS, true))
    return fail(c, -EOPNOTSUPP, "it has its descriptors in common with its parent (CLONE_FILES)");
  if (kcmp_says(parent, DIRECTORIES, true))
    return fail(c, -EOPNOTSUPP, "it has its working directory in common with its parent (CLONE_FS)");
  return 0;
}
