/* Copying files, holes left as holes. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/sys.h"
#include "files.h"

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

int copy_by_mapping(int in, int out, uint64_t size) {
  if (ftruncate(out, (off_t)size) < 0)
    return -errno;
  if (size == 0)
    return 0;
  char *to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
  int error = to == MAP_FAILED ? -errno : 0;
  for (uint64_t at = 0; error == 0 && at < size;) {
    off_t data = lseek(in, (off_t)at, SEEK_DATA);
    if (data < 0) {
      error = errno == ENXIO ? 0 : -errno;
      break;
    }
    off_t hole = lseek(in, data, SEEK_HOLE);
    uint64_t end = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
    long n = sys_pread_full(in, to + data, end - (uint64_t)data, (uint64_t)data);
    error = n < 0 ? (int)n : n != (long)(end - (uint64_t)data) ? -EIO : 0;
    at = end;
  }
  if (to != MAP_FAILED)
    munmap(to, size);
  return error;
}

bool same_contents(int a, int b, uint64_t size) {
  static char bytes[2][1 << 16];
  for (uint64_t at = 0; at < size;) {
    size_t want = size - at < sizeof bytes[0] ? (size_t)(size - at) : sizeof bytes[0];
    if (sys_pread_full(a, bytes[0], want, at) != (long)want ||
        sys_pread_full(b, bytes[1], want, at) != (long)want || memcmp(bytes[0], bytes[1], want) != 0)
      return false;
    at += want;
  }
  return true;
}
