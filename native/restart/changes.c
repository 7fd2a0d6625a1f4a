/* Changing files outside: only when the program is known to work, and nothing of them is lost. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "files.h"
#include "say.h"

/* ---- Keeping what was there --------------------------------------------------------------------------- */

int kept_create(const struct place *place, const char *what, const char *name, char *path) {
  char directory[PATH_MAX];
  snprintf(directory, sizeof directory, "%s", place->home[0] ? place->home : place->core);
  if (!place->home[0])
    *strrchr(directory, '/') = 0;
  for (int n = 1;; n++) {
    int length = snprintf(path, PATH_MAX, "%s/%s-%06llu-%s-%d", directory, what,
                          (unsigned long long)place->number, name, n);
    if (length >= PATH_MAX)
      return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || errno != EEXIST)
      return fd < 0 ? -errno : fd;
  }
}

static int close_synced(int fd, int error) {
  if (error == 0 && fsync(fd) < 0)
    error = -errno;
  if (close(fd) < 0 && error == 0)
    error = -errno;
  return error;
}

/* 1: there is nothing to keep. */
static int keep_rest(struct change *change, int in, const struct place *place) {
  uint64_t from = change->way == CHANGE_CUT ? change->file->size : 0;
  struct stat st;
  if (fstat(in, &st) < 0)
    return -errno;
  uint64_t size = change->lengthened ? change->length : (uint64_t)st.st_size;
  if (size <= from)
    return 1;
  const char *what = change->way == CHANGE_CUT ? "cut" : "old";
  int out = kept_create(place, what, text_base(change->path), change->kept);
  if (out < 0)
    return out;
  int error = close_synced(out, copy_range(in, out, from, size));
  if (error < 0)
    unlink(change->kept);
  return error;
}

/* Of shared memory, what the program had in it later is not worth more than the rest of its memory. */
static int keep(struct change *change, const struct place *place) {
  if (file_is_memory(change->file))
    return 0;
  int in = open(change->path, O_RDONLY | O_CLOEXEC);
  int error = in < 0 ? -errno : keep_rest(change, in, place);
  if (in >= 0)
    close(in);
  if (error < 0)
    return say_problem("cannot keep what is in %s now: %s; --files=keep leaves it as it is", change->path,
                       strerror(-error));
  if (error > 0)
    change->kept[0] = 0;
  return 0;
}

/* ---- The changes -------------------------------------------------------------------------------------- */

/* The file's contents and its time of change, which later restarts go by. */
static int write_carried(const struct change *change, const struct place *place, int out) {
  const struct ckpt_file *file = change->file;
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                              {file->mtime_ns / 1000000000, file->mtime_ns % 1000000000}};
  int in = carried_open(change->image, place, file);
  if (in < 0)
    return -1;
  bool huge = file->flags & CKPT_FILE_HUGETLB;
  int error = huge ? copy_by_mapping(in, out, file->size) : copy_over(in, out, file->size);
  close(in);
  if (error < 0 && huge)
    return say_huge_pages(change->path, file->size, file->rdev, -error);
  if (error == 0 && futimens(out, times) < 0)
    error = -errno;
  if (error == 0 && fsync(out) < 0)
    error = -errno;
  return error < 0 ? say_problem("cannot write %s as it was: %s", change->path, strerror(-error)) : 0;
}

static int cut(const struct change *change) {
  unsigned long long size = change->file->size;
  if (truncate(change->path, (off_t)size) < 0)
    return say_problem("cannot cut %s back to %llu bytes: %s; --files=keep leaves it as it is", change->path,
                       size, strerror(errno));
  if (change->kept[0])
    say_warning("%s had grown: cut back to %llu bytes, what was cut off is in %s", change->path, size,
                change->kept);
  return 0;
}

static int roll_back(const struct change *change, const struct place *place) {
  int access = change->file->flags & CKPT_FILE_HUGETLB ? O_RDWR : O_WRONLY; /* written by a mapping */
  int out = open(change->path, access | O_CLOEXEC | O_NOCTTY);
  if (out < 0)
    return say_problem("cannot write %s as it was: %s", change->path, strerror(errno));
  int result = write_carried(change, place, out);
  close(out);
  if (change->kept[0] && result < 0)
    say_problem("what was in %s is in %s", change->path, change->kept);
  else if (change->kept[0])
    say_warning("%s had changed: it is as it was, what was there is in %s", change->path, change->kept);
  return result;
}

/* Memory that has a name outlives the directory, of which a reboot has left nothing where it was in /tmp. */
static void make_directory(struct change *change) {
  snprintf(change->directory, sizeof change->directory, "%s", change->path);
  *strrchr(change->directory, '/') = 0;
  if (!(change->file->flags & (CKPT_FILE_SHM | CKPT_FILE_SPARE)) || mkdir(change->directory, 0700) < 0) {
    change->directory[0] = 0;
    return;
  }
  int fd = open(change->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return;
  made_give(fd, change->image, change->directory);
  close(fd);
}

void made_give(int fd, const struct image *image, const char *name) {
  uid_t uid = image->process.uid[1];
  gid_t gid = image->process.gid[1];
  if (geteuid() == 0 && (uid != 0 || gid != getegid()) && fchown(fd, uid, gid) < 0)
    say_warning("%s is made again, but not as user %u's: %s", name, uid, strerror(errno));
}

/* Under its name only when it is whole. */
static int make_again(struct change *change, const struct place *place) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s.ckpt-XXXXXX", change->path) >= (int)sizeof path)
    return say_problem("%s: its path is too long", change->path);
  make_directory(change);
  int out = mkostemp(path, O_CLOEXEC);
  if (out < 0)
    return say_problem("%s is gone and cannot be made again: %s", change->path, strerror(errno));
  int result = write_carried(change, place, out);
  made_give(out, change->image, change->path);
  if (result == 0 && (fchmod(out, change->file->mode & 07777) < 0 ||
                      renameat2(AT_FDCWD, path, AT_FDCWD, change->path, RENAME_NOREPLACE) < 0))
    result = say_problem("%s is gone and cannot be made again: %s", change->path, strerror(errno));
  close(out);
  if (result < 0)
    unlink(path);
  change->done = result == 0;
  return result;
}

/* Behind its end no page can be read into a mapping. */
static int lengthen(struct change *change) {
  struct stat st;
  if (!(change->file->flags & CKPT_FILE_MAPPED) || stat(change->path, &st) < 0 ||
      (uint64_t)st.st_size >= change->file->size)
    return 0;
  if (truncate(change->path, (off_t)change->file->size) < 0)
    return say_problem("cannot make %s as long as it was: %s", change->path, strerror(errno));
  change->lengthened = true;
  change->length = (uint64_t)st.st_size;
  return 0;
}

int changes_begin(struct changes *changes, const struct place *place) {
  for (uint32_t i = 0; i < changes->count; i++)
    if ((changes->list[i].way == CHANGE_AGAIN && make_again(&changes->list[i], place) < 0) ||
        (changes->list[i].way == CHANGE_BACK && lengthen(&changes->list[i]) < 0))
      return -1;
  return 0;
}

int changes_commit(struct changes *changes, const struct place *place) {
  for (uint32_t i = 0; i < changes->count; i++) {
    if (changes->list[i].way == CHANGE_AGAIN || keep(&changes->list[i], place) == 0)
      continue;
    while (i-- > 0)
      if (changes->list[i].kept[0])
        unlink(changes->list[i].kept);
    return -1;
  }
  for (uint32_t i = 0; i < changes->count; i++) {
    struct change *change = &changes->list[i];
    bool again = change->way == CHANGE_AGAIN;
    if (again && !file_is_memory(change->file))
      say_warning("%s was gone: it is as it was again", change->path);
    else if (!again && (change->way == CHANGE_CUT ? cut(change) : roll_back(change, place)) < 0)
      return -1;
    change->lengthened = false; /* that is its length now */
  }
  return 0;
}

void changes_undo(struct changes *changes) {
  for (uint32_t i = 0; i < changes->count; i++) {
    const struct change *change = &changes->list[i];
    if (change->way == CHANGE_AGAIN && change->done)
      unlink(change->path);
    if (change->lengthened && truncate(change->path, (off_t)change->length) < 0)
      say_warning("%s is longer now than it was: %s", change->path, strerror(errno));
  }
  for (uint32_t i = 0; i < changes->count; i++)
    if (changes->list[i].directory[0])
      rmdir(changes->list[i].directory);
}
