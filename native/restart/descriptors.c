#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common.h"
#include "entries.h"
#include "inet.h"
#include "job.h"
#include "merge.h"
#include "outside.h"
#include "ptys.h"
#include "say.h"

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

/* ---- Each kind ---------------------------------------------------------------------------------------- */

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

int descriptor_open_file(struct child *child, const struct ckpt_description *d) {
  int fd =
      is_entry(child, d, entry_is_foreign) ? entry_open(child, d) : file_open(child, d->file - 1, d->flags);
  return at_position(child, d, fd);
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

static int own(const struct child *child, const struct ckpt_description *d, int fd) {
  if (!(d->flags & O_PATH) && set_owner(child, d, fd) < 0 && errno != ESRCH)
    return say_problem("%s: cannot set its owner: %s", image_string(child->image, d->name), strerror(errno));
  return 0;
}

int descriptor_set_up(const struct child *child, const struct ckpt_description *d, int fd) {
  return set_flags(child, d, fd) < 0 ? -1 : own(child, d, fd);
}

static int make(struct child *child, uint32_t index) {
  const struct ckpt_description *d = &child->image->descriptions[index];
  int *fd = &child->descriptions[index];
  if (common_has(child->job->making, index))
    return common_make(child->job, index) < 0 ? -1 : 0;
  switch (*fd < 0 ? d->kind : 0) {
  case CKPT_DESC_OUTSIDE:
    *fd = outside_make(child, d);
    break;
  case CKPT_DESC_FILE:
  case CKPT_DESC_DEVICE:
    *fd = is_entry(child, d, entry_is_foreign) ? make_place(child) : descriptor_open_file(child, d);
    break;
  case CKPT_DESC_TERMINAL:
    *fd = outside_make_terminal(child, d);
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

/* What is about the process itself is made there: it does not exist before. */
static int make_own(struct child *child) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    bool common = common_has_own(child, i);
    if (!common && d->kind == CKPT_DESC_PIDFD && make_own_pidfd(child, i) < 0)
      return -1;
    if (!common && is_entry(child, d, entry_is_of_process) &&
        ((child->descriptions[i] = descriptor_open_file(child, d)) < 0 ||
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
  if (fd < 0 || descriptor_set_up(child, d, fd) < 0)
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

/* Those that belong to an open file which is only in flight: all others are taken under its number, in the
 * end. */
static int take_locks_in_flight(const struct child *child) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->locks_count; i++) {
    const struct ckpt_lock *lock = &image->locks[i];
    int fd = child->descriptions[lock->description];
    struct flock range = {.l_type = lock->exclusive ? F_WRLCK : F_RDLCK,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)lock->start,
                          .l_len = (off_t)lock->length};
    if (image_number_of(image, lock->description) >= 0 || lock->kind == CKPT_LOCK_POSIX)
      continue;
    if ((lock->kind == CKPT_LOCK_FLOCK ? flock(fd, (lock->exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)
                                       : fcntl(fd, F_OFD_SETLK, &range)) < 0)
      return say_problem("cannot take the lock on %s, which is in flight, back: %s",
                         image_string(image, image->descriptions[lock->description].name), strerror(errno));
  }
  return 0;
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
  if (common_share(child) < 0 || make_own(child) < 0 || take_locks_in_flight(child) < 0)
    return -1;
  for (uint32_t i = 0; i < image->descriptors_count; i++)
    if (place(child, &image->descriptors[i]) < 0)
      return -1;
  if (epoll_fill(child) < 0)
    return -1;
  outside_close();
  return inotify_fill(child) < 0 ? -1 : set_async(child);
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
  child->watched = no_descriptors(image->watches_count);
  return child->files_read && child->files_write && child->descriptions && child->others && child->watched
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
    for (uint32_t j = 0; j < image->watches_count; j++)
      if (image->watches[j].fd >= base)
        base = image->watches[j].fd + 1;
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
  return job->making->in_flight && job->count > 1 ? 0 : sockets_finish(maker);
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

/* What an epoll set of one process watches and another process has. */
static void find_watched(const struct job *job, const struct child *maker, const struct merge_map *maps) {
  for (uint32_t i = 0; i < job->count; i++) {
    const struct child *child = &job->children[i];
    for (uint32_t j = 0; j < child->image->watches_count; j++) {
      const struct ckpt_watch *watch = &child->image->watches[j];
      const struct child *other = watch->pid ? job_find(job, watch->pid) : NULL;
      if (!other)
        continue;
      const struct ckpt_descriptor *d = image_find_descriptor(other->image, (int32_t)watch->target - 1);
      child->watched[j] = maker->descriptions[maps[other - job->children].descriptions[d->description]];
    }
  }
}

int make_descriptors(struct job *job) {
  struct making *making = job->making = calloc(1, sizeof *making);
  struct merge_map *maps = calloc(job->count, sizeof *maps);
  if (!making || !maps)
    return say_problem("not enough memory");
  struct child *maker = &making->maker;
  making->maps = maps;
  *maker = job->children[0];
  maker->image = &making->merged;
  if (merge_descriptions(job, maker->image, maps) < 0 || common_find(job) < 0)
    return -1;
  int base = find_base(job);
  for (uint32_t i = 0; i < job->count; i++)
    if (prepare(&job->children[i], base) < 0)
      return -1;
  bool *late = find_late(job, maker->image, maps);
  if (!late || prepare(maker, base) < 0 || outside_keep(job) < 0 || make_all(job, maker, late) < 0 ||
      share_files(job, maker, maps) < 0)
    return -1;
  free(late);
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].descriptions_count; j++)
      job->children[i].descriptions[j] = maker->descriptions[maps[i].descriptions[j]];
  find_watched(job, maker, maps);
  return 0;
}
