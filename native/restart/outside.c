/* What `restart` passes on: its own input and output, and what it has been started with. */
#include "outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "descriptors.h"
#include "job.h"
#include "relay.h"
#include "say.h"
#include "tcp_repair.h"

enum { INHERITED_MOST = 1024 };

static bool inherited[INHERITED_MOST];
/* Where in the new process they are, out of the program's way. */
static int kept[INHERITED_MOST];

static int raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return say_problem("cannot read the limit on descriptors: %s", strerror(errno));
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
    return say_problem("cannot raise the limit on descriptors: %s", strerror(errno));
  return 0;
}

int outside_note_inherited(void) {
  if (raise_limit() < 0)
    return -1;
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
      return say_problem("cannot open /dev/null: %s", strerror(errno));
  for (int fd = 0; fd < INHERITED_MOST; fd++)
    inherited[fd] = fcntl(fd, F_GETFD) >= 0;
  return 0;
}

bool outside_is_inherited(int fd) {
  return fd < INHERITED_MOST && inherited[fd];
}

int outside_inherit(int fd) {
  if (fd >= INHERITED_MOST)
    return -1;
  inherited[fd] = true;
  return 0;
}

void outside_close_inherited(void) {
  for (int fd = 3; fd < INHERITED_MOST; fd++)
    if (inherited[fd])
      close(fd);
}

/* ---- Making room -------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

static int close_others(int *keep, size_t count) {
  unsigned from = 0;
  qsort(keep, count, sizeof *keep, compare);
  for (size_t i = 0; i < count; i++) {
    if ((unsigned)keep[i] > from && close_range(from, (unsigned)keep[i] - 1, 0) < 0)
      return say_problem("cannot close restart's own descriptors: %s", strerror(errno));
    from = (unsigned)keep[i] + 1;
  }
  if (close_range(from, ~0u, 0) < 0)
    return say_problem("cannot close restart's own descriptors: %s", strerror(errno));
  return 0;
}

static int keep_outside(const struct child *child, int *keep, size_t *count) {
  for (uint32_t i = 0; i < child->image->descriptions_count; i++) {
    const struct ckpt_description *d = &child->image->descriptions[i];
    uint64_t fd = d->a;
    if (d->kind != CKPT_DESC_OUTSIDE || fd >= INHERITED_MOST || !inherited[fd] || kept[fd] >= 0)
      continue;
    kept[fd] = fcntl((int)fd, F_DUPFD_CLOEXEC, child->base);
    if (kept[fd] < 0)
      return say_problem("no descriptor from %d on is free: %s (see ulimit -Hn)", child->base,
                         strerror(errno));
    keep[(*count)++] = kept[fd];
  }
  return 0;
}

int outside_keep(const struct job *job) {
  int *keep = malloc((INHERITED_MOST + 2 * (size_t)job->count + job->repaired_count) * sizeof *keep);
  size_t count = 0;
  if (!keep)
    return say_problem("not enough memory");
  for (int fd = 0; fd < INHERITED_MOST; fd++)
    kept[fd] = -1;
  /* While this can still be said. */
  if (descriptor_lift(&job->children[0], dup(job->children[0].report_fd), "the report") < 0)
    return -1;
  for (uint32_t i = 0; i < job->count; i++) {
    struct child *child = &job->children[i];
    child->report_fd = descriptor_lift(child, child->report_fd, "the report");
    if (child->report_fd < 0)
      return -1;
    if (i == 0)
      say_through(child->report_fd);
    child->image->fd = descriptor_lift(child, child->image->fd, "the image");
    if (child->image->fd < 0 || keep_outside(child, keep, &count) < 0)
      return -1;
    keep[count++] = child->report_fd;
    keep[count++] = child->image->fd;
  }
  if (repair_lift(job, keep, &count) < 0)
    return -1;
  int result = close_others(keep, count);
  free(keep);
  return result;
}

/* ---- Passing it on ------------------------------------------------------------------------------------- */

/* restart has nothing to give: one end of something whose other end is closed. */
static int make_dead_end(const struct child *child, const struct ckpt_description *d) {
  bool is_socket = text_starts(image_string(child->image, d->name), "socket:");
  int ends[2];
  if ((is_socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC)) < 0)
    return say_problem("cannot make a %s: %s", is_socket ? "socket" : "pipe", strerror(errno));
  bool writes = (d->flags & O_ACCMODE) == O_WRONLY;
  close(ends[writes ? 0 : 1]);
  return descriptor_lift(child, ends[writes ? 1 : 0], "a pipe");
}

/* Above 2, the same number may be something else altogether, unless it was chosen (--fd). */
static bool is_alike(const struct child *child, const struct ckpt_description *d) {
  const char *name = image_string(child->image, d->name);
  struct stat st;
  if (d->a <= 2 || !*name)
    return true;
  if (fstat(kept[d->a], &st) < 0)
    return false;
  return text_starts(name, "pipe:")     ? S_ISFIFO(st.st_mode)
         : text_starts(name, "socket:") ? S_ISSOCK(st.st_mode)
                                        : S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode);
}

int outside_make(const struct child *child, const struct ckpt_description *d) {
  if (d->a < INHERITED_MOST && kept[d->a] >= 0 && is_alike(child, d))
    return kept[d->a];
  return make_dead_end(child, d);
}

int outside_make_terminal(const struct child *child, const struct ckpt_description *d) {
  int flags = (int)(d->flags & (O_ACCMODE | O_NONBLOCK | O_APPEND));
  if (child->options->no_tty)
    return descriptor_lift(child, relay_hung_up(flags), "a terminal that has hung up");
  int fd = open("/dev/tty", flags | O_NOCTTY | O_CLOEXEC);
  for (int i = 0; fd < 0 && i <= 2; i++) {
    if (kept[i] < 0 || !isatty(kept[i]))
      continue;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", kept[i]);
    fd = open(path, flags | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
      fd = fcntl(kept[i], F_DUPFD_CLOEXEC, 0);
  }
  return descriptor_lift(child, fd, "a terminal (/dev/tty)");
}

void outside_close(void) {
  for (int fd = 0; fd < INHERITED_MOST; fd++)
    if (kept[fd] >= 0)
      close(kept[fd]);
}
