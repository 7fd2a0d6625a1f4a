#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

enum direction { IN, OUT };

/* Moves all of it, at `offset` or (-1) at the file's own position; stops early only at an end of file. */
static long transfer(enum direction direction, int fd, char *buffer, size_t size, int64_t offset) {
  size_t done = 0;
  while (done < size) {
    long n;
    if (offset < 0)
      n = sys(direction == IN ? SYS_(read) : SYS_(write), fd, buffer + done, size - done);
    else
      n = sys(direction == IN ? SYS_(pread64) : SYS_(pwrite64), fd, buffer + done, size - done,
              offset + (int64_t)done);
    if (n == -EINTR)
      continue;
    if (n < 0)
      return n;
    if (n == 0 && direction == OUT)
      return -EIO;
    if (n == 0)
      break;
    done += (size_t)n;
  }
  return (long)done;
}

long sys_read_full(int fd, void *buffer, size_t size) {
  return transfer(IN, fd, buffer, size, -1);
}

long sys_pread_full(int fd, void *buffer, size_t size, uint64_t offset) {
  return transfer(IN, fd, buffer, size, (int64_t)offset);
}

static long whole(long written) {
  return written < 0 ? written : 0;
}

long sys_write_full(int fd, const void *buffer, size_t size) {
  return whole(transfer(OUT, fd, (char *)(uintptr_t)buffer, size, -1));
}

long sys_pwrite_full(int fd, const void *buffer, size_t size, uint64_t offset) {
  return whole(transfer(OUT, fd, (char *)(uintptr_t)buffer, size, (int64_t)offset));
}

long sys_read_file(const char *path, char *buffer, size_t size) {
  long fd = sys(SYS_(openat), AT_FDCWD, path, CKPT_READ_ONLY);
  if (fd < 0)
    return fd;
  long n = sys_read_full((int)fd, buffer, size - 1);
  sys(SYS_(close), fd);
  buffer[n < 0 ? 0 : n] = 0;
  return n;
}

bool sys_peek(uint64_t address, void *value, size_t size) {
  struct iovec here = {value, size}, there = {(void *)address, size};
  return sys(SYS_(process_vm_readv), sys(SYS_(getpid)), &here, 1, &there, 1, 0) == (long)size;
}
