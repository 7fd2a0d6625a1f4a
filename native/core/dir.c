#include "dir.h"

#include <fcntl.h>

#include "sys.h"
#include "text.h"

struct linux_dirent64 {
  uint64_t d_ino;
  int64_t d_off;
  uint16_t d_reclen;
  uint8_t d_type;
  char d_name[];
};

long dir_open(struct dir *dir, int parent, const char *path) {
  long fd = sys(SYS_(openat), parent, path, CKPT_READ_ONLY | O_DIRECTORY | O_NOFOLLOW);
  dir->fd = (int)fd;
  dir->filled = dir->at = dir->error = 0;
  return fd < 0 ? fd : 0;
}

const char *dir_next(struct dir *dir) {
  for (;;) {
    if (dir->at >= dir->filled) {
      dir->at = 0;
      dir->filled = sys(SYS_(getdents64), dir->fd, dir->buffer, sizeof dir->buffer);
      if (dir->filled < 0)
        dir->error = dir->filled;
      if (dir->filled <= 0)
        return NULL;
    }
    const struct linux_dirent64 *entry = (const struct linux_dirent64 *)(dir->buffer + dir->at);
    dir->at += entry->d_reclen;
    dir->ino = entry->d_ino;
    dir->type = entry->d_type;
    if (!text_equal(entry->d_name, ".") && !text_equal(entry->d_name, ".."))
      return entry->d_name;
  }
}

void dir_close(const struct dir *dir) {
  sys(SYS_(close), dir->fd);
}
