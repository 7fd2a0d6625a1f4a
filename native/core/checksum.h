/* The checksum of images: CRC-32C in four lanes.
 *
 * Each whole 4096-byte block is four lanes of 1024 bytes; a lane's CRC-32C starts from 0 and, like the
 * block's, has no final inversion. The four lane values, each as 8 little-endian bytes, then continue the
 * running CRC. What is left after the last whole block continues the running CRC byte by byte. The running
 * CRC starts as 0xffffffff (CKPT_CHECKSUM_START); the result is the running CRC as it is.
 * Four lanes hide the latency of the crc32 instruction. */
#ifndef CKPT_CHECKSUM_H
#define CKPT_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define CKPT_CHECKSUM_START 0xffffffffu

/* Continues `running` over `size` bytes. Only the last call of a sum may have a size that is not a
 * multiple of 4096. */
uint32_t ckpt_checksum(uint32_t running, const void *data, size_t size);
/* The same without the crc32 instruction: for CPUs that lack it, and for tests. */
uint32_t ckpt_checksum_portable(uint32_t running, const void *data, size_t size);

#endif
