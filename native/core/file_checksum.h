/* The checksum of a file that an image carries: that of the checksums of its chunks, so that holes cost
 * nothing. */
#ifndef CKPT_FILE_CHECKSUM_H
#define CKPT_FILE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* What `sums` has to have room for. */
size_t file_checksum_room(uint64_t size);

/* Of the first `size` bytes, through `buffer` of CKPT_CHUNK bytes; moves the file's position. 0, or a
 * negative errno: -ENODATA when it is shorter. */
long file_checksum(int fd, uint64_t size, void *buffer, uint32_t *sums, uint32_t *result);

#endif
