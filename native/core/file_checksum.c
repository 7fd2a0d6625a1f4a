#include "file_checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "checksum.h"
#include "format/image.h"
#include "sys.h"

size_t file_checksum_room(uint64_t size) {
  return (size_t)((size + CKPT_CHUNK - 1) / CKPT_CHUNK) * sizeof(uint32_t);
}

/* Where data begins, from here on; the end for none. A file system that does not know has data everywhere. */
static uint64_t next_data(int fd, uint64_t at, uint64_t end) {
  long data = sys(SYS_(lseek), fd, at, SEEK_DATA);
  return data == -ENXIO ? end : data < 0 ? at : (uint64_t)data;
}

long file_checksum(int fd, uint64_t size, void *buffer, uint32_t *sums, uint32_t *result) {
  uint64_t data = 0;
  uint32_t zeros = 0;
  bool zeros_known = false;
  for (uint64_t at = 0, chunk = 0; at < size; at += CKPT_CHUNK, chunk++) {
    size_t part = size - at < CKPT_CHUNK ? (size_t)(size - at) : CKPT_CHUNK;
    if (data < at)
      data = next_data(fd, at, size);
    bool hole = data >= at + part;
    if (hole && zeros_known && part == CKPT_CHUNK) {
      sums[chunk] = zeros;
      continue;
    }
    long n = sys_pread_full(fd, buffer, part, at);
    if (n != (long)part)
      return n < 0 ? n : -ENODATA;
    sums[chunk] = ckpt_checksum(CKPT_CHECKSUM_START, buffer, part);
    if (hole && part == CKPT_CHUNK) {
      zeros = sums[chunk];
      zeros_known = true;
    }
  }
  *result = ckpt_checksum(CKPT_CHECKSUM_START, sums, file_checksum_room(size));
  return 0;
}
