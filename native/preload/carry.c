/* files/ beside the core: contents of open files, of those without a name and of those asked for. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "core/file_checksum.h"
#include "core/glob.h"
#include "core/sys.h"
#include "core/text.h"

#define FILES "files"

/* A descriptor of our own on the same file: looking for holes moves the offset, and the program's may not be
 * open for reading. */
static long open_again(int fd) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/fd/%d", (int64_t)fd);
  return sys(SYS_(openat), AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

static long copy_range(int from, int to, uint64_t start, uint64_t end, char *buffer) {
  for (uint64_t at = start; at < end;) {
    size_t size = end - at < CKPT_CHUNK ? (size_t)(end - at) : CKPT_CHUNK;
    long n = sys_pread_full(from, buffer, size, at);
    if (n <= 0)
      return n;
    long result = sys_pwrite_full(to, buffer, (size_t)n, at);
    if (result < 0)
      return result;
    at += (uint64_t)n;
  }
  return 0;
}

static long copy(int from, int to, uint64_t size, char *buffer) {
  long result = sys(SYS_(ftruncate), to, size);
  for (uint64_t at = 0; at < size && result == 0;) {
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

static long carry(struct checkpoint *c, int dir, struct ckpt_file *file, int fd, char *buffer) {
  char name[32];
  struct text text = text_in(name, sizeof name);
  text_format(&text, "%u", (uint64_t)(file - (struct ckpt_file *)c->files.entries));
  long from = open_again(fd);
  if (from < 0)
    return fail(c, from, "descriptor %d: %s cannot be read, to be carried in the image: %s", (int64_t)fd,
                string_at(c, file->path), text_errno(from));
  long to = sys(SYS_(openat), dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  long result = to < 0 ? to : copy((int)from, (int)to, file->size, buffer);
  if (result == 0)
    result = add_checksum(c, (int)to, file, buffer);
  if (to >= 0)
    sys(SYS_(close), to);
  sys(SYS_(close), from);
  if (result < 0)
    return fail(c, result, "%s/%s/" FILES "/%s: %s", c->job_dir, c->temp_name, name, text_errno(result));
  long offset = add_string(c, name);
  file->carried = offset < 0 ? 0 : (ckpt_string)offset;
  file->flags |= CKPT_FILE_CARRIED;
  return offset < 0 ? offset : 0;
}

static bool is_wanted(const struct checkpoint *c, const struct ckpt_file *file) {
  const char *patterns = c->request.files[0] ? c->request.files : ckpt_state.with_files;
  if (file->flags & CKPT_FILE_CARRIED)
    return false;
  return file->flags & CKPT_FILE_DELETED ||
         (S_ISREG(file->mode) && glob_any(patterns, string_at(c, file->path)));
}

long write_files(struct checkpoint *c) {
  const struct ckpt_description *descriptions = c->descriptions.entries;
  const struct ckpt_descriptor *descriptors = c->descriptors.entries, *in_flight = c->in_flight.entries;
  struct ckpt_file *files = c->files.entries;
  char *buffer = NULL;
  long dir = -1, result = 0;
  for (size_t i = 0; i < c->descriptors.count + c->in_flight.count && result == 0; i++) {
    const struct ckpt_descriptor *holder =
        i < c->descriptors.count ? &descriptors[i] : &in_flight[i - c->descriptors.count];
    uint32_t index = descriptions[holder->description].file;
    struct ckpt_file *file = index ? &files[index - 1] : NULL;
    if (!file || !is_wanted(c, file))
      continue;
    if (dir < 0) {
      buffer = arena_take(&c->arena, CKPT_CHUNK);
      result = buffer ? sys(SYS_(mkdirat), c->temp_fd, FILES, 0700) : -ENOMEM;
      dir = result < 0 ? result : sys(SYS_(openat), c->temp_fd, FILES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (dir < 0)
        return fail(c, dir, "%s/%s/" FILES ": %s", c->job_dir, c->temp_name, text_errno(dir));
    }
    result = carry(c, (int)dir, file, holder->fd, buffer);
  }
  if (dir >= 0) {
    if (result == 0)
      result = sys(SYS_(fsync), dir);
    sys(SYS_(close), dir);
  }
  return result;
}
