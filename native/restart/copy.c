/* Copying files, holes left as holes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

/* Zeros, without taking from private mappings the pages that they have changed. */
static int clear(int out, uint64_t at, uint64_t end) {
  static const char zeros[1 << 16];
  if (at == end ||
      fallocate(out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)(end - at)) == 0)
    return 0;
  long error = errno == EOPNOTSUPP ? 0 : -errno;
  for (uint64_t size; at < end && error == 0; at += size) {
    size = end - at < sizeof zeros ? end - at : sizeof zeros;
    error = sys_pwrite_full(out, zeros, size, at);
  }
  return (int)error;
}

int copy_over(int in, int out, uint64_t size) {
  int error = ftruncate(out, (off_t)size) < 0 ? -errno : 0;
  for (uint64_t at = 0; at < size && error == 0;) {
    off_t found = lseek(in, (off_t)at, SEEK_DATA);
    uint64_t data = found >= 0 ? (uint64_t)found : errno == ENXIO ? size : at;
    off_t hole = data < size ? lseek(in, (off_t)data, SEEK_HOLE) : -1;
    uint64_t end = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
    error = clear(out, at, data);
    if (error == 0)
      error = copy_data(in, out, data, end, 0);
    at = end;
  }
  return error;
}

int copy_by_mapping(int in, int out, uint64_t size) {
  struct stat st;
  if (ftruncate(out, (off_t)size) < 0 || fstat(out, &st) < 0)
    return -errno;
  if (size == 0)
    return 0;
  char *to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
  int error = to == MAP_FAILED ? -errno : 0;
  for (uint64_t at = 0; error == 0 && at < size;) {
    off_t data = lseek(in, (off_t)at, SEEK_DATA);
    if (data < 0 && errno != ENXIO) {
      error = -errno;
      break;
    }
    if (data < 0)
      data = (off_t)size;
    off_t hole = lseek(in, data, SEEK_HOLE);
    uint64_t end = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
    if (st.st_blocks)
      memset(to + at, 0, (uint64_t)data - at);
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
