#include "descriptors.h"

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
#include "entries.h"
#include "inet.h"
#include "job.h"
#include "merge.h"
#include "ptys.h"
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

int descriptors_note_inherited(void) {
  if (raise_limit() < 0)
    return -1;
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
      return say_problem("cannot open /dev/null: %s", strerror(errno));
  for (int fd = 0; fd < INHERITED_MOST; fd++)
    inherited[fd] = fcntl(fd, F_GETFD) >= 0;
  return 0;
}

bool descriptors_is_inherited(int fd) {
  return fd < INHERITED_MOST && inherited[fd];
}

int descriptors_inherit(int fd) {
  if (fd >= INHERITED_MOST)
    return -1;
  inherited[fd] = true;
  return 0;
}

void descriptors_close_inherited(void) {
  for (int fd = 3; fd < INHERITED_MOST; fd++)
    if (inherited[fd])
      close(fd);
}

int descriptor_lift(const struct child *child, int fd, const char *what) {
  if (fd < 0)
    return say_problem("cannot open %s: %s", what, strerror(errno));
  int high = fcntl(fd, F_DUPFD_CLOEXEC, child->base);
  if (high < 0)
    say_problem("%s: no descriptor from %d on is free: %s (see ulimit -Hn)", what, child->base,
                strerror(errno));
  close(fd);
  return high;
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

/* The descriptors that are passed on, the core files and the reports move up; everything else goes. */
static int clear_the_way(const struct job *job) {
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

/* ---- Each kind ---------------------------------------------------------------------------------------- */

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

static int make_outside(const struct child *child, const struct ckpt_description *d) {
  if (d->a < INHERITED_MOST && kept[d->a] >= 0 && is_alike(child, d))
    return kept[d->a];
  return make_dead_end(child, d);
}

/* Its process has it later: nothing else is to have this place until then. */
static int make_place(const struct child *child) {
  return descriptor_lift(child, open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null");
}

static bool is_entry(const struct child *child, const struct ckpt_description *d,
                     bool (*is_so)(const struct ckpt_file *, const char *)) {
  const struct ckpt_file *file = d->file ? &child->image->files[d->file - 1] : NULL;
  return d->kind == CKPT_DESC_FILE && file && is_so(file, image_string(child->image, file->path));
}

static int at_position(const struct child *child, const struct ckpt_description *d, int fd) {
  bool has_position = !(d->flags & O_PATH) && d->kind == CKPT_DESC_FILE;
  /* Not all files of the kernel's have one, and of a process that is gone nothing is read any more. */
  if (fd >= 0 && has_position && lseek(fd, (off_t)d->pos, SEEK_SET) < 0 && (errno != ESPIPE || d->pos) &&
      errno != ESRCH)
    return say_problem("%s: cannot go to position %llu: %s", image_string(child->image, d->name),
                       (unsigned long long)d->pos, strerror(errno));
  return fd;
}

static int make_file(struct child *child, const struct ckpt_description *d) {
  int fd =
      is_entry(child, d, entry_is_foreign) ? entry_open(child, d) : file_open(child, d->file - 1, d->flags);
  return at_position(child, d, fd);
}

static int make_terminal(const struct child *child, const struct ckpt_description *d) {
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

/* ---- All of them -------------------------------------------------------------------------------------- */

/* The program itself is that also under another process id. Its other threads are not there yet. */
static int set_owner(const struct child *child, const struct ckpt_description *d, int fd) {
  struct f_owner_ex owner = {
      .type = d->owner < 0    ? F_OWNER_PGRP
              : d->owner_type ? F_OWNER_TID
                              : F_OWNER_PID,
      .pid = d->owner == child->image->process.pid ? getpid() : abs(d->owner),
  };
  bool later = d->owner_type && d->owner != child->image->process.pid;
  return d->owner && !later ? fcntl(fd, F_SETOWN_EX, &owner) : 0;
}

static int set_flags(const struct child *child, const struct ckpt_description *d, int fd) {
  const char *name = image_string(child->image, d->name);
  const int settable = O_NONBLOCK | O_APPEND | O_DIRECT | O_NOATIME;
  if (d->flags & O_PATH)
    return 0;
  /* What is shared with the world outside only gains what the program has set. */
  int now = fcntl(fd, F_GETFL);
  int keep = d->kind == CKPT_DESC_OUTSIDE ? now : 0;
  int wanted = (((int)d->flags & settable) | (keep & settable));
  if (d->signal && fcntl(fd, F_SETSIG, d->signal) < 0)
    return say_problem("%s: cannot set the signal of its input and output: %s", name, strerror(errno));
  if ((now & settable) != wanted && fcntl(fd, F_SETFL, wanted) < 0 && d->kind != CKPT_DESC_OUTSIDE)
    return say_problem("%s: cannot set its flags %o: %s", name, d->flags, strerror(errno));
  return 0;
}

static int make(struct child *child, uint32_t index) {
  const struct ckpt_description *d = &child->image->descriptions[index];
  int *fd = &child->descriptions[index];
  switch (*fd < 0 ? d->kind : 0) {
  case CKPT_DESC_OUTSIDE:
    *fd = make_outside(child, d);
    break;
  case CKPT_DESC_FILE:
  case CKPT_DESC_DEVICE:
    *fd = is_entry(child, d, entry_is_foreign) ? make_place(child) : make_file(child, d);
    break;
  case CKPT_DESC_TERMINAL:
    *fd = make_terminal(child, d);
    break;
  case CKPT_DESC_EVENTFD:
    *fd = eventfd_make(child, d);
    break;
  case CKPT_DESC_EPOLL:
    *fd = epoll_make(child);
    break;
  case CKPT_DESC_TIMERFD:
    *fd = timerfd_make(child, d);
    break;
  case CKPT_DESC_SIGNALFD:
    *fd = signalfd_make(child, d);
    break;
  case CKPT_DESC_PIDFD:
    *fd = pidfd_make(child, d, getpid());
    break;
  case CKPT_DESC_QUEUE:
    *fd = queue_make(child, d);
    break;
  case CKPT_DESC_NETLINK:
    *fd = netlink_make(child, d);
    break;
  case CKPT_DESC_INOTIFY:
    *fd = inotify_make(child);
    break;
  case CKPT_DESC_SOCKET:
    *fd = inet_make(child, d);
    break;
  case CKPT_DESC_PIPE:
    if (pipe_make(child, index) < 0)
      return -1;
    break;
  default: /* made with the first end of its pipe, or with the other sockets or pseudoterminals */
    break;
  }
  return *fd < 0 ? -1 : set_flags(child, d, *fd);
}

static int make_own_pidfd(const struct child *child, uint32_t index) {
  const struct ckpt_description *d = &child->image->descriptions[index];
  int fd = child->descriptions[index] = pidfd_make(child, d, d->b ? (pid_t)d->b : getpid());
  return fd < 0 ? -1 : set_flags(child, d, fd);
}

static int own(const struct child *child, const struct ckpt_description *d, int fd) {
  if (!(d->flags & O_PATH) && set_owner(child, d, fd) < 0 && errno != ESRCH)
    return say_problem("%s: cannot set its owner: %s", image_string(child->image, d->name), strerror(errno));
  return 0;
}

/* What is about the process itself is made there: it does not exist before. */
static int make_own(struct child *child) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    if (d->kind == CKPT_DESC_PIDFD && make_own_pidfd(child, i) < 0)
      return -1;
    if (is_entry(child, d, entry_is_of_process) && ((child->descriptions[i] = make_file(child, d)) < 0 ||
                                                    set_flags(child, d, child->descriptions[i]) < 0))
      return -1;
    if (child->descriptions[i] >= 0 && own(child, d, child->descriptions[i]) < 0)
      return -1;
  }
  return 0;
}

/* A file that this process alone has: there need not be room for all of them twice. */
static int make_late(struct child *child, uint32_t index) {
  const struct ckpt_description *d = &child->image->descriptions[index];
  int fd = at_position(child, d, file_open_low(child, d->file - 1, d->flags));
  if (fd < 0 || set_flags(child, d, fd) < 0 || own(child, d, fd) < 0)
    return -1;
  return child->descriptions[index] = fd;
}

/* To its number; what was opened late is wherever there was room, and from then on where it belongs. */
static int place(struct child *child, const struct ckpt_descriptor *d) {
  int *fd = &child->descriptions[d->description], flags = d->flags & FD_CLOEXEC ? O_CLOEXEC : 0;
  bool late = *fd < 0;
  if (late && make_late(child, d->description) < 0)
    return -1;
  if (*fd == d->fd ? fcntl(d->fd, F_SETFD, d->flags & FD_CLOEXEC) < 0 : dup3(*fd, d->fd, flags) < 0)
    return say_problem("cannot make descriptor %d: %s", d->fd, strerror(errno));
  if (late && *fd != d->fd)
    close(*fd);
  if (late)
    *fd = d->fd;
  return 0;
}

/* What was passed on is in its place, and room is needed for the files that are mapped. */
static void close_kept(void) {
  for (int fd = 0; fd < INHERITED_MOST; fd++)
    if (kept[fd] >= 0)
      close(kept[fd]);
}

/* O_ASYNC waits until everything is in place: the signal tells the number under which it was set, and nothing
 * that restart does is to be signalled. */
static int set_async(const struct child *child) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->descriptors_count; i++) {
    const struct ckpt_descriptor *d = &image->descriptors[i];
    uint32_t flags = image->descriptions[d->description].flags;
    int now = flags & O_ASYNC && !(flags & O_PATH) ? fcntl(d->fd, F_GETFL) : O_ASYNC;
    if (!(now & O_ASYNC) && fcntl(d->fd, F_SETFL, now | O_ASYNC) < 0)
      return say_problem("descriptor %d cannot be made to send signals again: %s", d->fd, strerror(errno));
  }
  return 0;
}

int place_descriptors(struct child *child) {
  const struct image *image = child->image;
  if (make_own(child) < 0)
    return -1;
  for (uint32_t i = 0; i < image->descriptors_count; i++)
    if (place(child, &image->descriptors[i]) < 0)
      return -1;
  close_kept();
  if (epoll_fill(child) < 0 || inotify_fill(child) < 0)
    return -1;
  return set_async(child);
}

static int *no_descriptors(uint32_t count) {
  int *list = malloc(((size_t)count + 1) * sizeof *list);
  for (uint32_t i = 0; list && i < count; i++)
    list[i] = -1;
  return list;
}

static int prepare(struct child *child, int base) {
  const struct image *image = child->image;
  child->base = base;
  child->files_read = no_descriptors(image->files_count);
  child->files_write = no_descriptors(image->files_count);
  child->descriptions = no_descriptors(image->descriptions_count);
  child->others = no_descriptors(image->descriptions_count);
  return child->files_read && child->files_write && child->descriptions && child->others
             ? 0
             : say_problem("not enough memory");
}

static int find_base(const struct job *job) {
  int base = 3;
  for (uint32_t i = 0; i < job->count; i++) {
    const struct image *image = &job->images[i];
    uint32_t count = image->descriptors_count;
    if (count && image->descriptors[count - 1].fd >= base)
      base = image->descriptors[count - 1].fd + 1;
  }
  return base;
}

/* Files with a name that one process alone has, and nobody in flight. */
static bool *find_late(const struct job *job, const struct image *merged, const struct merge_map *maps) {
  const uint32_t others = CKPT_FILE_DELETED | CKPT_FILE_MEMORY | CKPT_FILE_SHM | CKPT_FILE_LIVE;
  uint32_t *users = calloc(merged->descriptions_count + 1ul, sizeof *users);
  bool *late = calloc(merged->descriptions_count + 1ul, sizeof *late);
  if (!users || !late)
    say_problem("not enough memory");
  for (uint32_t i = 0; users && late && i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].descriptions_count; j++)
      users[maps[i].descriptions[j]] += maps[i].in_flight[j] ? 2 : 1;
  for (uint32_t i = 0; users && late && i < merged->descriptions_count; i++) {
    const struct ckpt_description *d = &merged->descriptions[i];
    late[i] = users[i] == 1 && d->kind == CKPT_DESC_FILE && !(merged->files[d->file - 1].flags & others);
  }
  bool known = users && late;
  free(users);
  if (!known)
    free(late);
  return known ? late : NULL;
}

static int make_all(struct job *job, struct child *maker, const bool *late) {
  if (unix_make_all(maker) < 0 || tcp_make_all(maker) < 0 || ptys_make_all(job, maker) < 0)
    return -1;
  for (uint32_t i = 0; i < maker->image->descriptions_count; i++)
    if (!late[i] && make(maker, i) < 0)
      return -1;
  return sockets_finish(maker);
}

/* Memory that several processes share is made once. What one process alone has, and only maps, is made there.
 */
static int share_files(struct job *job, struct child *maker, const struct merge_map *maps) {
  const struct image *merged = maker->image;
  uint8_t *users = calloc(merged->files_count + 1ul, 1);
  if (!users)
    return say_problem("not enough memory");
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].files_count; j++)
      if (users[maps[i].files[j]] < 2)
        users[maps[i].files[j]]++;
  for (uint32_t i = 0; i < merged->files_count; i++)
    if (users[i] > 1 && merged->files[i].flags & CKPT_FILE_DELETED &&
        !(merged->files[i].flags & CKPT_FILE_SEGMENT) && file_make(maker, i) < 0)
      return -1;
  free(users);
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].files_count; j++)
      if (job->images[i].files[j].flags & CKPT_FILE_DELETED)
        job->children[i].files_write[j] = maker->files_write[maps[i].files[j]];
  return 0;
}

int make_descriptors(struct job *job) {
  struct image merged;
  struct child maker = job->children[0];
  struct merge_map *maps = calloc(job->count, sizeof *maps);
  maker.image = &merged;
  if (!maps)
    return say_problem("not enough memory");
  if (merge_descriptions(job, &merged, maps) < 0)
    return -1;
  int base = find_base(job);
  for (uint32_t i = 0; i < job->count; i++)
    if (prepare(&job->children[i], base) < 0)
      return -1;
  bool *late = find_late(job, &merged, maps);
  if (!late || prepare(&maker, base) < 0 || clear_the_way(job) < 0 || make_all(job, &maker, late) < 0 ||
      share_files(job, &maker, maps) < 0)
    return -1;
  free(late);
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].descriptions_count; j++)
      job->children[i].descriptions[j] = maker.descriptions[maps[i].descriptions[j]];
  return 0;
}
