/* Do two descriptors refer to one open file description? kcmp tells, where the kernel has it and allows it.
 * Elsewhere it is tried: the signal that F_SETSIG sets belongs to the description, and means nothing unless
 * O_ASYNC is on. */
#include <errno.h>
#include <fcntl.h>

#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "job.h"
#include "open_files.h"

enum { SIGNAL_MOST = 64 };

long compare_files(int32_t pid, int fd, int32_t other_pid, int other) {
  enum { FILES = 0 /* KCMP_FILE */ };
  return ckpt_state.force_fcntl ? -ENOSYS : sys(SYS_(kcmp), pid, other_pid, FILES, fd, other);
}

bool share_signal(int a, int b) {
  long before = sys(SYS_(fcntl), a, F_GETSIG);
  int probe = before == SIGNAL_MOST ? SIGNAL_MOST - 1 : SIGNAL_MOST;
  if (before < 0 || sys(SYS_(fcntl), b, F_GETSIG) != before || sys(SYS_(fcntl), a, F_SETSIG, probe) < 0)
    return false;
  bool same = sys(SYS_(fcntl), b, F_GETSIG) == probe;
  sys(SYS_(fcntl), a, F_SETSIG, before);
  return same;
}

/* ---- In the leader, of any two processes -------------------------------------------------------------- */

/* In the text of fdinfo: "lock:\t1: POSIX  ADVISORY  WRITE ...". */
static bool tells_of_posix_lock(const char *at) {
  while (*at) {
    if (text_starts(at, "lock:\t")) {
      while (*at && *at != '\n' && *at != ' ')
        at++;
      if (text_starts(at, " POSIX "))
        return true;
    }
    while (*at && *at++ != '\n')
      ;
  }
  return false;
}

/* To close a descriptor, whichever it is, ends the POSIX locks that the process has on the file. */
static bool has_locks_on(const struct checkpoint *c, const struct open_file *file) {
  const struct open_file *files = c->open_files.entries;
  char path[64];
  for (size_t i = 0; i < c->open_files.count; i++) {
    if (files[i].process != 0 || files[i].fd < 0 || files[i].ino != file->ino || files[i].dev != file->dev)
      continue;
    struct text text = text_in(path, sizeof path);
    text_format(&text, "/proc/thread-self/fdinfo/%d", (int64_t)files[i].fd);
    long n = sys_read_file(path, c->scratch, SCRATCH);
    if (n < 0 || n == SCRATCH - 1 || tells_of_posix_lock(c->scratch))
      return true;
  }
  return false;
}

/* A descriptor of ours on it: the leader's own, or a duplicate. */
static long borrow(const struct open_file *file) {
  if (file->process == 0)
    return file->fd;
  long pidfd = sys(SYS_(pidfd_open), file->pid, 0);
  if (pidfd < 0)
    return pidfd;
  long fd = sys(SYS_(pidfd_getfd), pidfd, file->fd, 0);
  sys(SYS_(close), pidfd);
  return fd;
}

static void give_back(const struct open_file *file, long fd) {
  if (file->process != 0 && fd >= 0)
    sys(SYS_(close), fd);
}

static long try_signal(const struct checkpoint *c, const struct file_of *a, const struct file_of *b) {
  if (a->file->flags & O_PATH) /* which has no state to share */
    return 0;
  if (a->file->flags & O_ASYNC || has_locks_on(c, a->file))
    return -EOPNOTSUPP;
  long first = borrow(a->file), second = first < 0 ? first : borrow(b->file);
  long result = second < 0 ? second : share_signal((int)first, (int)second);
  give_back(b->file, second);
  give_back(a->file, first);
  return result;
}

long is_same_file(struct checkpoint *c, const struct file_of *a, const struct file_of *b) {
  long known = compare_files(a->tid, a->file->fd, b->tid, b->file->fd);
  long result = known < 0 ? try_signal(c, a, b) : known == 0;
  if (result >= 0)
    return result;
  char path[64], name[512];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/%d/fd/%d", (int64_t)a->tid, (int64_t)a->file->fd);
  long n = sys(SYS_(readlinkat), AT_FDCWD, path, name, sizeof name - 1);
  name[n > 0 ? n : 0] = 0;
  return fail(
      c, known,
      "the kernel does not say whether descriptor %d of process %d and descriptor %d of process %d (%s) are "
      "shared (kcmp: %s)",
      (int64_t)a->file->fd, (int64_t)a->file->pid, (int64_t)b->file->fd, (int64_t)b->file->pid, name,
      text_errno(known));
}
