/* Opening the files of an image again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "descriptors.h"
#include "files.h"
#include "say.h"

/* Also what fcntl(F_GETFL) shows of O_TMPFILE, which without O_DIRECTORY means nothing. */
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

#define MEMFD "/memfd:"

static int open_again(int fd, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, flags);
}

/* A file without a name, in this directory. */
static int nameless_in(const char *directory, mode_t mode) {
  char path[PATH_MAX];
  int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
    return fd;
  /* A file system that cannot do that. */
  if (snprintf(path, sizeof path, "%s/.ckpt-XXXXXX", directory) >= (int)sizeof path)
    return -1;
  fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0 && (unlink(path) < 0 || fchmod(fd, mode) < 0)) {
    close(fd);
    return -1;
  }
  return fd;
}

/* A directory that was in this one and has been removed: nobody can make anything in it. */
static int removed_in(const char *directory, mode_t mode) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/.ckpt-XXXXXX", directory) >= (int)sizeof path || !mkdtemp(path))
    return -1;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (rmdir(path) == 0 && fd >= 0 && fchmod(fd, mode) == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

/* Where it was, if that can be. */
static int nameless(const char *path, mode_t mode, int (*make_in)(const char *directory, mode_t mode)) {
  char directory[PATH_MAX];
  snprintf(directory, sizeof directory, "%s", path);
  char *slash = strrchr(directory, '/');
  if (slash)
    *(slash == directory ? slash + 1 : slash) = 0;
  int fd = slash ? make_in(directory, mode) : -1;
  const char *temporary = getenv("TMPDIR");
  if (fd < 0 && temporary && *temporary == '/')
    fd = make_in(temporary, mode);
  return fd < 0 ? make_in("/tmp", mode) : fd;
}

/* "/memfd:NAME (deleted)"; of something else, its name tells what it was. */
static int make_memfd(const char *path, mode_t mode, int flags) {
  char name[256];
  snprintf(name, sizeof name, "%.240s", text_starts(path, MEMFD) ? path + strlen(MEMFD) : path + 1);
  char *end = strstr(name, " (deleted)");
  if (end)
    *end = 0;
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | (unsigned)flags);
  if (fd >= 0 && fchmod(fd, mode) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

static int huge_size_flags(const struct ckpt_file *file) {
  return (int)(MFD_HUGETLB | (unsigned)__builtin_ctzll(file->rdev) << CKPT_HUGE_SHIFT);
}

bool file_is_sealed_late(const struct ckpt_file *file) {
  return file->flags & CKPT_FILE_MAPPED && file->seals & F_SEAL_FUTURE_WRITE;
}

int file_for_memory(struct child *child, uint32_t index, int flags) {
  const struct ckpt_file *file = &child->image->files[index];
  const char *path = image_string(child->image, file->path);
  if (child->files_write[index] >= 0)
    return child->files_write[index];
  int fd = make_memfd(path, file->mode & 07777, flags);
  if (fd >= 0 && ftruncate(fd, (off_t)file->size) < 0)
    return say_problem("cannot make %llu bytes of shared memory (%s): %s", (unsigned long long)file->size,
                       path, strerror(errno));
  return child->files_write[index] = descriptor_lift(child, fd, path);
}

/* A file that had been deleted: its contents, again under no name. Kept in files_write: all who had it share
 * it. */
static int recreate(struct child *child, uint32_t index) {
  const struct ckpt_file *file = &child->image->files[index];
  const char *path = image_string(child->image, file->path);
  if (child->files_write[index] >= 0)
    return 0;
  if (S_ISDIR(file->mode)) {
    int fd = nameless(path, file->mode & 07777, removed_in);
    return (child->files_write[index] = descriptor_lift(child, fd, path)) < 0 ? -1 : 0;
  }
  int in = carried_open(child->image, child->place, file);
  if (in < 0)
    return -1;
  bool memfd = text_starts(path, MEMFD), huge = file->flags & CKPT_FILE_HUGETLB;
  int out = memfd || huge ? make_memfd(path, file->mode & 07777, huge ? huge_size_flags(file) : 0)
                          : nameless(path, file->mode & 07777, nameless_in);
  int error = out < 0 ? -errno
              : huge  ? copy_by_mapping(in, out, file->size)
                      : copy_range(in, out, 0, file->size);
  if (error == 0 && memfd && file->seals && !file_is_sealed_late(file) &&
      fcntl(out, F_ADD_SEALS, (int)file->seals) < 0)
    error = -errno;
  close(in);
  if (error < 0 && huge)
    return say_huge_pages(path, file->size, file->rdev, -error);
  if (error < 0)
    return say_problem("cannot make the deleted file %s again: %s", path, strerror(-error));
  return (child->files_write[index] = descriptor_lift(child, out, path)) < 0 ? -1 : 0;
}

int file_make(struct child *child, uint32_t index) {
  const struct ckpt_file *file = &child->image->files[index];
  if (file->flags & CKPT_FILE_MEMORY)
    return file_for_memory(child, index, 0) < 0 ? -1 : 0;
  return file->flags & CKPT_FILE_CARRIED || S_ISDIR(file->mode) ? recreate(child, index) : 0;
}

static int open_flags(const struct ckpt_file *file, uint32_t flags) {
  int drop = O_CREAT | O_EXCL | O_TRUNC | TMPFILE_BIT | O_ASYNC | (S_ISDIR(file->mode) ? 0 : O_DIRECTORY);
  return ((int)flags & ~drop) | O_NOCTTY | O_CLOEXEC;
}

static int open_path(struct child *child, uint32_t index, int flags) {
  const struct ckpt_file *file = &child->image->files[index];
  if (!(file->flags & CKPT_FILE_DELETED))
    return open(image_string(child->image, file->path), flags);
  return recreate(child, index) < 0 ? -2 : open_again(child->files_write[index], flags & ~O_NOFOLLOW);
}

static int check_kind(const struct ckpt_file *file, int fd, const char *path) {
  struct stat st;
  if (fstat(fd, &st) < 0)
    return say_problem("%s: %s", path, strerror(errno));
  if ((st.st_mode & S_IFMT) != (file->mode & S_IFMT) ||
      ((S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && st.st_rdev != file->rdev))
    return say_problem("%s is not what it was when it was saved", path);
  return 0;
}

int file_open_low(struct child *child, uint32_t index, uint32_t flags) {
  const struct ckpt_file *file = &child->image->files[index];
  const char *path = image_string(child->image, file->path);
  int how = open_flags(file, flags);
  int fd = open_path(child, index, how);
  if (fd == -1 && errno == EPERM && (how & O_NOATIME))
    fd = open_path(child, index, how & ~O_NOATIME);
  if (fd == -2)
    return -1;
  if (fd < 0)
    return say_problem("cannot open %s: %s", path, strerror(errno));
  if (file->write_hint) /* no more than a hint: only the owner of the file may give it */
    (void)fcntl(fd, F_SET_RW_HINT, &file->write_hint);
  if (check_kind(file, fd, path) == 0)
    return fd;
  close(fd);
  return -1;
}

int file_open(struct child *child, uint32_t index, uint32_t flags) {
  int fd = file_open_low(child, index, flags);
  return fd < 0 ? -1
                : descriptor_lift(child, fd, image_string(child->image, child->image->files[index].path));
}

int file_for_mapping(struct child *child, uint32_t index, bool write, bool must_write) {
  int *kept = write ? &child->files_write[index] : &child->files_read[index];
  if (*kept >= 0)
    return *kept;
  const struct ckpt_file *file = &child->image->files[index];
  if (write && !must_write && !(file->flags & CKPT_FILE_DELETED) &&
      access(image_string(child->image, file->path), W_OK) < 0)
    return file_for_mapping(child, index, false, false);
  return *kept = file_open(child, index, write ? O_RDWR : O_RDONLY);
}
