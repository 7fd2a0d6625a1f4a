#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/sys.h"
#include "core/text.h"
#include "moves.h"
#include "say.h"

/* ---- Checks ------------------------------------------------------------------------------------------- */

int carried_path(const struct image *image, const struct place *place, const struct ckpt_file *file,
                 char path[PATH_MAX]) {
  const char *slash = strrchr(place->core, '/');
  int n = snprintf(path, PATH_MAX, "%.*s/files/%s", (int)(slash - place->core), place->core,
                   image_string(image, file->carried));
  return n < PATH_MAX ? 0 : -1;
}

static void check_carried(const struct image *image, const struct place *place,
                          const struct ckpt_file *file) {
  char path[PATH_MAX];
  struct stat st;
  if (carried_path(image, place, file, path) < 0)
    say_problem("%s: its path is too long", place->image);
  else if (stat(path, &st) < 0)
    say_problem("%s, the image's copy of %s: %s", path, image_string(image, file->path), strerror(errno));
  else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != file->size)
    say_problem("%s, the image's copy of %s, has another size than when it was saved", path,
                image_string(image, file->path));
}

static bool is_open_for_writing(const struct image *image, uint32_t file) {
  for (uint32_t i = 0; i < image->descriptions_count; i++)
    if (image->descriptions[i].file == file + 1 && (image->descriptions[i].flags & O_ACCMODE) != O_RDONLY)
      return true;
  return false;
}

static int64_t mtime_ns(const struct stat *st) {
  return st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static void check_written(const struct image *image, uint32_t index, const struct stat *st,
                          const struct options *options, struct cuts *cuts) {
  const struct ckpt_file *file = &image->files[index];
  const char *path = image_string(image, file->path);
  uint64_t size = (uint64_t)st->st_size;
  if (size < file->size) {
    say_problem("%s has %llu bytes and had %llu: it must not be shorter than when it was saved", path,
                (unsigned long long)size, (unsigned long long)file->size);
    return;
  }
  if (size == file->size || !is_open_for_writing(image, index))
    return;
  if (options->files == FILES_STRICT)
    say_problem(
        "%s has grown from %llu to %llu bytes since: --files=rewind cuts it back, --files=keep leaves it",
        path, (unsigned long long)file->size, (unsigned long long)size);
  if (options->files == FILES_REWIND)
    cuts->list[cuts->count++] = (struct cut){.path = path, .size = file->size};
}

/* Whoever names another file (--map) means it, and a copy has another time; but memory over a file of another
 * size is not what it was. */
static void check_read(const struct ckpt_file *file, const char *path, const struct stat *st) {
  bool moved = file->flags & FILE_MOVED;
  if ((uint64_t)st->st_size != file->size && !(moved && !(file->flags & CKPT_FILE_MAPPED)))
    say_problem("%s has %llu bytes and had %llu when it was saved: put the old one back", path,
                (unsigned long long)st->st_size, (unsigned long long)file->size);
  else if (mtime_ns(st) != file->mtime_ns && !moved)
    say_problem("%s has been modified since it was saved: put the old one back", path);
}

static void check_file(const struct image *image, uint32_t index, const struct options *options,
                       struct cuts *cuts) {
  const struct ckpt_file *file = &image->files[index];
  const char *path = image_string(image, file->path);
  struct stat st;
  if (stat(path, &st) < 0) {
    say_problem("%s, which the program had %s: %s", path, file->flags & CKPT_FILE_OPEN ? "open" : "mapped",
                strerror(errno));
    return;
  }
  if ((st.st_mode & S_IFMT) != (file->mode & S_IFMT)) {
    say_problem("%s is another kind of file than when it was saved", path);
  } else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
    if (st.st_rdev != file->rdev)
      say_problem("%s is another device than when it was saved", path);
  } else if (S_ISREG(st.st_mode)) {
    if (file->flags & CKPT_FILE_WRITTEN)
      check_written(image, index, &st, options, cuts);
    else
      check_read(file, path, &st);
  }
}

void check_files(const struct image *image, const struct place *place, const struct options *options,
                 struct cuts *cuts) {
  *cuts = (struct cuts){.list = calloc((size_t)image->files_count + 1, sizeof *cuts->list)};
  if (!cuts->list) {
    say_problem("not enough memory");
    return;
  }
  for (uint32_t i = 0; i < image->files_count; i++) {
    const struct ckpt_file *file = &image->files[i];
    if (!(file->flags & (CKPT_FILE_MAPPED | CKPT_FILE_OPEN)) || file->flags & CKPT_FILE_MEMORY)
      continue;
    if (!(file->flags & CKPT_FILE_DELETED))
      check_file(image, i, options, cuts);
    else if (file->flags & CKPT_FILE_CARRIED)
      check_carried(image, place, file);
    else
      say_problem("%s had been deleted and is not in the image", image_string(image, file->path));
  }
}

/* ---- Copying ------------------------------------------------------------------------------------------ */

static int copy_data(int in, int out, uint64_t at, uint64_t end, uint64_t from) {
  static char buffer[1 << 16];
  while (at < end) {
    size_t want = end - at < sizeof buffer ? (size_t)(end - at) : sizeof buffer;
    long n = sys_pread_full(in, buffer, want, at);
    if (n <= 0)
      return n < 0 ? (int)n : -EIO;
    long error = sys_pwrite_full(out, buffer, (size_t)n, at - from);
    if (error < 0)
      return (int)error;
    at += (uint64_t)n;
  }
  return 0;
}

int copy_range(int in, int out, uint64_t from, uint64_t to) {
  uint64_t at = from;
  while (at < to) {
    off_t data = lseek(in, (off_t)at, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
      break; /* only a hole is left */
    if (data < 0)
      data = (off_t)at; /* a file system that does not know: all of it is data */
    off_t hole = lseek(in, data, SEEK_HOLE);
    uint64_t end = hole < 0 || (uint64_t)hole > to ? to : (uint64_t)hole;
    int error = copy_data(in, out, (uint64_t)data, end, from);
    if (error < 0)
      return error;
    at = end;
  }
  return ftruncate(out, (off_t)(to - from)) < 0 ? -errno : 0;
}

/* ---- Cutting ------------------------------------------------------------------------------------------ */

/* A new file beside the image, or in the directory of a bare core file. */
static int create_kept(struct cut *cut, const struct place *place) {
  char directory[PATH_MAX];
  snprintf(directory, sizeof directory, "%s", place->home[0] ? place->home : place->core);
  if (!place->home[0])
    *strrchr(directory, '/') = 0;
  for (int n = 1;; n++) {
    int length = snprintf(cut->kept, sizeof cut->kept, "%s/cut-%06llu-%s-%d", directory,
                          (unsigned long long)place->number, text_base(cut->path), n);
    if (length >= (int)sizeof cut->kept)
      return -ENAMETOOLONG;
    int fd = open(cut->kept, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || errno != EEXIST)
      return fd < 0 ? -errno : fd;
  }
}

/* 1: nothing to cut any more. */
static int keep_tail(struct cut *cut, int in, const struct place *place) {
  struct stat st;
  if (fstat(in, &st) < 0)
    return -errno;
  if ((uint64_t)st.st_size <= cut->size)
    return 1;
  int out = create_kept(cut, place);
  if (out < 0)
    return out;
  int error = copy_range(in, out, cut->size, (uint64_t)st.st_size);
  if (error == 0 && fsync(out) < 0)
    error = -errno;
  if (close(out) < 0 && error == 0)
    error = -errno;
  if (error < 0)
    unlink(cut->kept);
  return error;
}

static int keep_one(struct cut *cut, const struct place *place) {
  int in = open(cut->path, O_RDONLY | O_CLOEXEC);
  int error = in < 0 ? -errno : keep_tail(cut, in, place);
  if (in >= 0)
    close(in);
  if (error < 0)
    return say_problem("cannot keep what %s has grown by: %s; --files=keep leaves it as it is", cut->path,
                       strerror(-error));
  if (error > 0)
    cut->kept[0] = 0;
  return 0;
}

int cut_files(struct cuts *cuts, const struct place *place) {
  for (uint32_t i = 0; i < cuts->count; i++) {
    if (keep_one(&cuts->list[i], place) == 0)
      continue;
    while (i-- > 0)
      if (cuts->list[i].kept[0])
        unlink(cuts->list[i].kept);
    return -1;
  }
  for (uint32_t i = 0; i < cuts->count; i++) {
    const struct cut *cut = &cuts->list[i];
    if (!cut->kept[0])
      continue;
    if (truncate(cut->path, (off_t)cut->size) < 0)
      return say_problem("cannot cut %s back to %llu bytes: %s; --files=keep leaves it as it is", cut->path,
                         (unsigned long long)cut->size, strerror(errno));
    say_warning("%s had grown: cut back to %llu bytes, what was cut off is in %s", cut->path,
                (unsigned long long)cut->size, cut->kept);
  }
  return 0;
}
