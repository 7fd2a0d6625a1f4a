/* Checksums of a file, chunk by chunk, as the image holds them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/checksum.h"
#include "core/sys.h"
#include "format/image.h"
#include "helper/helper.h"

static int32_t sum_chunks(int fd, unsigned char *buffer, uint64_t offset, uint64_t size, uint32_t chunk,
                          uint32_t *sums) {
  int32_t count = 0;
  for (uint64_t done = 0; done < size; count++) {
    uint64_t part = size - done < chunk ? size - done : chunk;
    long got = sys_pread_full(fd, buffer, part, offset + done);
    if (got < 0)
      return (int32_t)got;
    if ((uint64_t)got < part)
      return -EIO;
    sums[count] = ckpt_checksum(CKPT_CHECKSUM_START, buffer, part);
    done += part;
  }
  return count;
}

int32_t ckpt_helper_checksums(const char *path, uint64_t offset, uint64_t size, uint32_t chunk,
                              uint32_t *sums, uint32_t most) {
  if (chunk == 0 || chunk % CKPT_PAGE || most > INT32_MAX)
    return -EINVAL;
  if (size / chunk + (size % chunk != 0) > most)
    return -ENOSPC;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  unsigned char *buffer = malloc(chunk);
  int32_t count = buffer ? sum_chunks(fd, buffer, offset, size, chunk, sums) : -ENOMEM;
  free(buffer);
  close(fd);
  return count;
}
