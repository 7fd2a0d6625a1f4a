#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file_checksum.h"
#include "entries.h"
#include "moves.h"
#include "say.h"

int carried_open(const struct image *image, const struct place *place, const struct ckpt_file *file) {
  const char *of = image_string(image, file->path);
  char path[PATH_MAX];
  struct stat st;
  int directory = (int)(strrchr(place->core, '/') - place->core);
  if (snprintf(path, sizeof path, "%.*s/files/%s", directory, place->core,
               image_string(image, file->carried)) >= (int)sizeof path)
    return say_problem("%s: its path is too long", place->image);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 || fstat(fd, &st) < 0) {
    say_problem("%s, the image's copy of %s: %s", path, of, strerror(errno));
  } else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != file->size) {
    say_problem("%s, the image's copy of %s, has another size than when it was saved", path, of);
  } else {
    return fd;
  }
  if (fd >= 0)
    close(fd);
  return -1;
}

static long checksum_of(int fd, uint64_t size, uint32_t *sum) {
  static char buffer[CKPT_CHUNK];
  uint32_t *sums = malloc(file_checksum_room(size) + 1);
  long error = sums ? file_checksum(fd, size, buffer, sums, sum) : -ENOMEM;
  free(sums);
  return error;
}

bool check_carried(const struct image *image, const struct place *place, const struct ckpt_file *file) {
  const char *of = image_string(image, file->path);
  uint32_t sum = 0;
  int fd = carried_open(image, place, file);
  if (fd < 0)
    return false;
  long error = checksum_of(fd, file->size, &sum);
  close(fd);
  if (error < 0)
    say_problem("the image's copy of %s cannot be read: %s", of, strerror((int)-error));
  else if (sum != file->checksum)
    say_problem("the image is damaged: its copy of %s does not match its checksum", of);
  return error == 0 && sum == file->checksum;
}

/* What is checked, and what comes of it. */
struct checking {
  struct image *image;
  const struct place *place;
  enum files_mode mode;
  struct changes *changes;
};

/* Several processes may have had it open. */
static void add_change(const struct checking *checking, const struct ckpt_file *file, enum change_way way) {
  const char *path = image_string(checking->image, file->path);
  for (uint32_t i = 0; i < checking->changes->count; i++)
    if (strcmp(checking->changes->list[i].path, path) == 0)
      return;
  checking->changes->list[checking->changes->count++] = (struct change){
      .way = way,
      .image = checking->image,
      .file = file,
      .path = path,
  };
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

static void check_grown(const struct checking *checking, const struct ckpt_file *file,
                        const struct stat *st) {
  const char *path = image_string(checking->image, file->path);
  unsigned long long size = (unsigned long long)st->st_size, before = file->size;
  uint32_t index = (uint32_t)(file - checking->image->files);
  if (size < before)
    say_problem(
        "%s has %llu bytes and had %llu: it must not be shorter than when it was saved (what an earlier "
        "restart has cut off is beside its image); an image made with --with-files carries its own",
        path, size, before);
  else if (size == before || !is_open_for_writing(checking->image, index))
    return;
  else if (checking->mode == FILES_STRICT)
    say_problem(
        "%s has grown from %llu to %llu bytes since: --files=rewind cuts it back, --files=keep leaves it",
        path, before, size);
  else if (checking->mode == FILES_REWIND)
    add_change(checking, file, CHANGE_CUT);
}

/* Byte by byte: a write through a mapping, or in the clock's tick of the checkpoint, leaves the time alone.
 */
static bool begins_as_carried(const struct checking *checking, const struct ckpt_file *file,
                              const struct stat *st) {
  if ((uint64_t)st->st_size < file->size)
    return false;
  int carried = carried_open(checking->image, checking->place, file);
  int now = open(image_string(checking->image, file->path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  bool same = carried >= 0 && now >= 0 && same_contents(carried, now, file->size);
  if (now >= 0)
    close(now);
  if (carried >= 0)
    close(carried);
  return same;
}

/* Has another process it open or mapped? A lease for writing is given only to the one who has it alone; who
 * does not own the file cannot tell. */
static bool is_in_use(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  bool alone = fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
  if (fd >= 0)
    close(fd);
  return !alone;
}

static void check_written(const struct checking *checking, const struct ckpt_file *file,
                          const struct stat *st) {
  bool memory = file_is_memory(file);
  bool grows = !memory || (uint64_t)st->st_size == file->size;
  if (!(file->flags & CKPT_FILE_CARRIED) || file->flags & CKPT_FILE_SPARE || checking->mode == FILES_KEEP ||
      (grows && begins_as_carried(checking, file, st)))
    check_grown(checking, file, st);
  else if (checking->mode == FILES_STRICT)
    say_problem("%s has been modified since: --files=rewind writes what the image carries, --files=keep "
                "leaves it",
                image_string(checking->image, file->path));
  else if (memory && is_in_use(image_string(checking->image, file->path)))
    say_problem("%s, the program's shared memory, holds something else now and is in use by another process: "
                "stop that first, or --files=keep takes it as it is",
                image_string(checking->image, file->path));
  else if (check_carried(checking->image, checking->place, file))
    add_change(checking, file, CHANGE_BACK);
}

static const char keeps_it[] = ", or --files=keep goes on in this one";

/* A file that only descriptors refer to may have been appended to, as a log that somebody follows. Nobody can
 * tell whether what was read of it is still as it was, unless the image carries it: who restarts it must say
 * so. */
static bool may_have_grown(const struct ckpt_file *file, const struct stat *st) {
  return !(file->flags & (CKPT_FILE_MAPPED | CKPT_FILE_CARRIED)) && (uint64_t)st->st_size >= file->size;
}

/* Whoever names another file (--map) means it, and a copy has another time; but memory over a file of another
 * size is not what it was. */
static void check_read(const struct checking *checking, struct ckpt_file *file, const struct stat *st) {
  const char *path = image_string(checking->image, file->path);
  bool moved = file->flags & FILE_MOVED;
  bool resized = (uint64_t)st->st_size != file->size && !(moved && !(file->flags & CKPT_FILE_MAPPED));
  bool touched = mtime_ns(st) != file->mtime_ns && !moved;
  bool grown = may_have_grown(file, st);
  if ((!resized && !touched) || (grown && checking->mode == FILES_KEEP))
    return;
  if ((file->flags & CKPT_FILE_CARRIED) && checking->mode != FILES_STRICT) {
    if (check_carried(checking->image, checking->place, file))
      say_warning("%s has changed since: the program goes on with the image's copy of it", path);
    file->flags |= CKPT_FILE_DELETED;
  } else if (resized) {
    say_problem(
        "%s has %llu bytes and had %llu when it was saved: put the old one back%s; an image made with "
        "--with-files carries its own",
        path, (unsigned long long)st->st_size, (unsigned long long)file->size, grown ? keeps_it : "");
  } else {
    say_problem("%s has been modified since it was saved: put the old one back%s; an image made with "
                "--with-files carries its own",
                path, grown ? keeps_it : "");
  }
}

static const char *how_used(const struct ckpt_file *file) {
  return file->flags & CKPT_FILE_OPEN ? "open" : file->flags & CKPT_FILE_MAPPED ? "mapped" : "watched";
}

static void check_gone(const struct checking *checking, const struct ckpt_file *file, int error) {
  bool again = error == ENOENT && (file->flags & CKPT_FILE_CARRIED) && checking->mode != FILES_STRICT;
  if (!again)
    say_problem("%s, which the program had %s: %s", image_string(checking->image, file->path), how_used(file),
                strerror(error));
  else if (check_carried(checking->image, checking->place, file))
    add_change(checking, file, CHANGE_AGAIN);
}

static void check_file(const struct checking *checking, struct ckpt_file *file) {
  const char *path = image_string(checking->image, file->path);
  struct stat st;
  if (entry_is_foreign(file, path))
    return;
  if (fstatat(AT_FDCWD, path, &st, S_ISLNK(file->mode) ? AT_SYMLINK_NOFOLLOW : 0) < 0) {
    check_gone(checking, file, errno);
  } else if ((st.st_mode & S_IFMT) != (file->mode & S_IFMT)) {
    say_problem("%s is another kind of file than when it was saved", path);
  } else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
    if (st.st_rdev != file->rdev)
      say_problem("%s is another device than when it was saved", path);
  } else if (S_ISREG(st.st_mode) && file->flags & (CKPT_FILE_MAPPED | CKPT_FILE_OPEN) &&
             !(file->flags & CKPT_FILE_LIVE)) {
    if (file->flags & CKPT_FILE_WRITTEN)
      check_written(checking, file, &st);
    else
      check_read(checking, file, &st);
  }
}

void check_files(struct image *image, const struct place *place, const struct options *options,
                 struct changes *changes) {
  struct checking checking = {image, place, options->files, changes};
  struct change *list =
      realloc(changes->list, ((size_t)changes->count + image->files_count + 1) * sizeof *changes->list);
  if (list)
    changes->list = list;
  if (!list) {
    say_problem("not enough memory");
    return;
  }
  for (uint32_t i = 0; i < image->files_count; i++) {
    struct ckpt_file *file = &image->files[i];
    if (!(file->flags & (CKPT_FILE_MAPPED | CKPT_FILE_OPEN | CKPT_FILE_WATCHED)) ||
        file->flags & CKPT_FILE_MEMORY)
      continue;
    if (!(file->flags & CKPT_FILE_DELETED))
      check_file(&checking, file);
    else if (file->flags & CKPT_FILE_CARRIED)
      check_carried(image, place, file);
    else if (!S_ISDIR(file->mode))
      say_problem("%s had been deleted and is not in the image", image_string(image, file->path));
  }
}
