/* files/ beside the core: contents of files, of those without a name, those in memory and those asked for. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "core/file_checksum.h"
#include "core/glob.h"
#include "core/sys.h"
#include "core/text.h"
#include "job.h"
#include "open_files.h"

/* What is read from: a descriptor of ours, which goes then, or the program's, whose offset stays. */
struct source {
  long fd;  /* or a negative errno */
  bool own; /* ours */
};

/* A descriptor of our own on the same file: looking for holes moves the offset, and the program's may not be
 * open for reading. */
static long open_again(int fd) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/fd/%d", (int64_t)fd);
  return sys(SYS_(openat), AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

/* Its mode may have become one in which its owner may not open it. */
static struct source source_of(int fd) {
  struct source source = {open_again(fd), true};
  long flags = source.fd == -EACCES ? sys(SYS_(fcntl), fd, F_GETFL) : -EBADF;
  if (flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_WRONLY)
    source = (struct source){fd, false};
  return source;
}

static bool is_zeros(const char *bytes, size_t size) {
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static long copy_range(int from, int to, uint64_t start, uint64_t end, char *buffer) {
  for (uint64_t at = start; at < end;) {
    size_t size = end - at < CKPT_CHUNK ? (size_t)(end - at) : CKPT_CHUNK;
    long n = sys_pread_full(from, buffer, size, at);
    if (n <= 0)
      return n;
    /* Huge pages that nobody has touched are no holes to lseek. */
    long result = is_zeros(buffer, (size_t)n) ? 0 : sys_pwrite_full(to, buffer, (size_t)n, at);
    if (result < 0)
      return result;
    at += (uint64_t)n;
  }
  return 0;
}

static long copy(const struct source *source, int to, uint64_t size, char *buffer) {
  int from = (int)source->fd;
  long result = sys(SYS_(ftruncate), to, size);
  if (result == 0 && !source->own)
    result = copy_range(from, to, 0, size, buffer);
  for (uint64_t at = 0; source->own && at < size && result == 0;) {
    long data = sys(SYS_(lseek), from, at, SEEK_DATA);
    if (data == -ENXIO)
      break;
    long hole = data < 0 ? data : sys(SYS_(lseek), from, data, SEEK_HOLE);
    if (hole < 0)
      return hole;
    uint64_t end = (uint64_t)hole < size ? (uint64_t)hole : size;
    result = copy_range(from, to, (uint64_t)data, end, buffer);
    at = end;
  }
  return result == 0 ? sys(SYS_(fsync), to) : result;
}

static long add_checksum(struct checkpoint *c, int fd, struct ckpt_file *file, char *buffer) {
  uint32_t *sums = arena_take(&c->arena, file_checksum_room(file->size));
  return sums ? file_checksum(fd, file->size, buffer, sums, &file->checksum) : -ENOMEM;
}

/* Of a file that is mapped but not open. */
static long open_mapped(const struct checkpoint *c, const struct ckpt_file *file) {
  struct stat st;
  long fd = sys(SYS_(openat), AT_FDCWD, string_at(c, file->path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  long error = fd < 0 ? fd : sys(SYS_(fstat), fd, &st);
  if (error >= 0 && (st.st_ino != file->ino || st.st_dev != file->dev))
    error = -ENOENT;
  if (error < 0 && fd >= 0)
    sys(SYS_(close), fd);
  return error < 0 ? error : fd;
}

static long carry(struct checkpoint *c, int dir, struct ckpt_file *file, struct source from, char *buffer) {
  char name[32];
  struct text text = text_in(name, sizeof name);
  if (c->request.op == CKPT_REQUEST_JOIN) /* others write into the same directory */
    text_format(&text, "%d-", (int64_t)c->process.pid);
  text_format(&text, "%u", (uint64_t)(file - (struct ckpt_file *)c->files.entries));
  if (from.fd < 0)
    return fail(c, from.fd, "%s cannot be read, to be carried in the image: %s", string_at(c, file->path),
                text_errno(from.fd));
  long to = sys(SYS_(openat), dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  long result = to < 0 ? to : copy(&from, (int)to, file->size, buffer);
  if (result == 0)
    result = add_checksum(c, (int)to, file, buffer);
  if (to >= 0)
    sys(SYS_(close), to);
  if (from.own)
    sys(SYS_(close), from.fd);
  if (result < 0)
    return fail(c, result, "%s/%s/" CARRIED_DIR "/%s: %s", c->job_dir, c->temp_name, name,
                text_errno(result));
  long offset = add_string(c, name);
  file->carried = offset < 0 ? 0 : (ckpt_string)offset;
  file->flags |= CKPT_FILE_CARRIED;
  return offset < 0 ? offset : 0;
}

bool file_is_asked_for(const struct checkpoint *c, const char *path) {
  return glob_any(c->request.files[0] ? c->request.files : ckpt_state.with_files, path);
}

static bool is_wanted(const struct checkpoint *c, const struct ckpt_file *file) {
  if (file->flags & (CKPT_FILE_CARRIED | CKPT_FILE_MEMORY))
    return false;
  /* There is nothing in a directory that has been removed. */
  return (file->flags & (CKPT_FILE_DELETED | CKPT_FILE_SHM) && !S_ISDIR(file->mode)) ||
         (S_ISREG(file->mode) && file_is_asked_for(c, string_at(c, file->path)));
}

/* Who maps a file and closes it has it as memory, which would be lost with the file: others of the same user
 * may remove it, once the process is no more. It is carried for that, where it costs next to nothing. */
enum { SPARE_MOST = CKPT_CHUNK };

static bool is_spare(const struct checkpoint *c, const struct ckpt_file *file) {
  const uint32_t own = CKPT_FILE_OPEN | CKPT_FILE_DELETED | CKPT_FILE_SHM | CKPT_FILE_MEMORY | CKPT_FILE_LIVE;
  return file->flags & CKPT_FILE_MAPPED && file->flags & CKPT_FILE_WRITTEN && !(file->flags & own) &&
         S_ISREG(file->mode) && file->size <= SPARE_MOST && !file_is_asked_for(c, string_at(c, file->path));
}

/* Does a process before this one carry it? */
static bool is_carried_before(const struct checkpoint *c, const struct ckpt_file *file) {
  if (!c->order)
    return false;
  return file->flags & CKPT_FILE_DELETED
             ? open_elsewhere(c, file->dev, file->ino, c->order->process)
             : file->flags & (CKPT_FILE_SHM | CKPT_FILE_SPARE) && written_before(c, file->dev, file->ino);
}

/* Where the contents go. */
struct carrying {
  struct checkpoint *c;
  char *buffer;
  long dir; /* -1: not yet made */
};

static long make_directory(struct carrying *carrying) {
  struct checkpoint *c = carrying->c;
  if (carrying->dir >= 0)
    return 0;
  carrying->buffer = arena_take(&c->arena, CKPT_CHUNK);
  long result = carrying->buffer ? sys(SYS_(mkdirat), c->temp_fd, CARRIED_DIR, 0700) : -ENOMEM;
  if (result == -EEXIST) /* another process of the job was faster */
    result = 0;
  carrying->dir =
      result < 0 ? result : sys(SYS_(openat), c->temp_fd, CARRIED_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (carrying->dir >= 0)
    return 0;
  return fail(c, carrying->dir, "%s/%s/" CARRIED_DIR ": %s", c->job_dir, c->temp_name,
              text_errno(carrying->dir));
}

static long carry_open_files(struct carrying *carrying) {
  struct checkpoint *c = carrying->c;
  const struct ckpt_description *descriptions = c->descriptions.entries;
  const struct ckpt_descriptor *descriptors = c->descriptors.entries, *in_flight = c->in_flight.entries;
  struct ckpt_file *files = c->files.entries;
  long result = 0;
  for (size_t i = 0; i < c->descriptors.count + c->in_flight.count && result == 0; i++) {
    const struct ckpt_descriptor *holder =
        i < c->descriptors.count ? &descriptors[i] : &in_flight[i - c->descriptors.count];
    uint32_t index = descriptions[holder->description].file;
    struct ckpt_file *file = index ? &files[index - 1] : NULL;
    if (!file || !is_wanted(c, file) || is_carried_before(c, file))
      continue;
    result = make_directory(carrying);
    if (result == 0)
      result = carry(c, (int)carrying->dir, file, source_of(holder->fd), carrying->buffer);
  }
  return result;
}

static long carry_mapped_files(struct carrying *carrying) {
  struct checkpoint *c = carrying->c;
  struct ckpt_file *files = c->files.entries;
  long result = 0;
  for (size_t i = 0; i < c->files.count && result == 0; i++) {
    bool spare = is_spare(c, &files[i]);
    files[i].flags |= spare ? CKPT_FILE_SPARE : 0u;
    if (!(files[i].flags & CKPT_FILE_MAPPED) || !(spare || is_wanted(c, &files[i])) ||
        is_carried_before(c, &files[i]))
      continue;
    long from = open_mapped(c, &files[i]);
    if (spare && from < 0) /* it can do without */
      continue;
    result = make_directory(carrying);
    if (result == 0)
      result = carry(c, (int)carrying->dir, &files[i], (struct source){from, true}, carrying->buffer);
    else if (from >= 0)
      sys(SYS_(close), from);
  }
  return result;
}

long write_files(struct checkpoint *c) {
  struct carrying carrying = {.c = c, .dir = -1};
  long result = carry_open_files(&carrying);
  if (result == 0)
    result = carry_mapped_files(&carrying);
  if (carrying.dir >= 0) {
    if (result == 0)
      result = sys(SYS_(fsync), carrying.dir);
    sys(SYS_(close), carrying.dir);
  }
  return result;
}
