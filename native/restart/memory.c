/* The program's memory, read from the image without mapping any of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/checksum.h"
#include "core/sys.h"
#include "image.h"

int image_memory(struct image *image, uint64_t address, void *to, size_t size) {
  memset(to, 0, size);
  for (uint32_t i = 0; i < image->runs_count; i++) {
    const struct image_run *run = &image->runs[i];
    uint64_t start = run->address > address ? run->address : address;
    uint64_t end = run->address + run->size < address + size ? run->address + run->size : address + size;
    if (start >= end)
      continue;
    long n = sys_pread_full(image->fd, (char *)to + (start - address), end - start,
                            image->prologue.data_offset + run->offset + (start - run->address));
    if (n != (long)(end - start))
      return image_refuse(image, "cannot read memory at %llx: %s", (unsigned long long)start,
                          n < 0 ? strerror((int)-n) : "truncated");
  }
  return 0;
}

/* The address that byte `offset` of the data goes to. */
static uint64_t address_of(const struct image *image, uint64_t offset) {
  for (uint32_t i = 0; i < image->runs_count; i++)
    if (offset - image->runs[i].offset < image->runs[i].size)
      return image->runs[i].address + (offset - image->runs[i].offset);
  return 0;
}

int image_verify_memory(struct image *image) {
  uint8_t *chunk = malloc(CKPT_CHUNK);
  int result = chunk ? 0 : image_refuse(image, "not enough memory to check it");
  uint64_t size = image->prologue.data_size;
  for (uint64_t at = 0; result == 0 && at < size; at += CKPT_CHUNK) {
    size_t want = size - at < CKPT_CHUNK ? (size_t)(size - at) : CKPT_CHUNK;
    long n = sys_pread_full(image->fd, chunk, want, image->prologue.data_offset + at);
    if (n != (long)want)
      result = image_refuse(image, "cannot read: %s", n < 0 ? strerror((int)-n) : "truncated");
    else if (ckpt_checksum(CKPT_CHECKSUM_START, chunk, want) != image->checksums[at / CKPT_CHUNK])
      result = image_refuse(image, "damaged: memory from %llx on does not match its checksum (chunk %llu)",
                            (unsigned long long)address_of(image, at), (unsigned long long)(at / CKPT_CHUNK));
  }
  free(chunk);
  return result;
}
