#include "checksum.h"

#include <cpuid.h>
#include <stdbool.h>

enum { BLOCK = 4096, LANE = BLOCK / 4 };

#define POLYNOMIAL 0x82f63b78u /* CRC-32C, bit-reversed */

static uint32_t byte_portable(uint32_t crc, uint8_t byte) {
  crc ^= byte;
  for (int bit = 0; bit < 8; bit++)
    crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  return crc;
}

static uint32_t word_portable(uint32_t crc, uint64_t word) {
  for (int i = 0; i < 8; i++)
    crc = byte_portable(crc, (uint8_t)(word >> (8 * i)));
  return crc;
}

static uint32_t byte_hardware(uint32_t crc, uint8_t byte) {
  __asm__("crc32b %1, %0" : "+r"(crc) : "rm"(byte));
  return crc;
}

static inline __attribute__((always_inline)) uint32_t word_hardware(uint32_t crc, uint64_t word) {
  uint64_t wide = crc;
  __asm__("crc32q %1, %0" : "+r"(wide) : "rm"(word));
  return (uint32_t)wide;
}

static inline __attribute__((always_inline)) uint64_t load(const uint8_t *from) {
  uint64_t value;
  __builtin_memcpy(&value, from, sizeof value); /* memcpy itself would be a call in freestanding code */
  return value;
}

static inline __attribute__((always_inline)) uint32_t sum(uint32_t running, const uint8_t *data, size_t size,
                                                          uint32_t (*word)(uint32_t, uint64_t),
                                                          uint32_t (*byte)(uint32_t, uint8_t)) {
  for (; size >= BLOCK; data += BLOCK, size -= BLOCK) {
    uint32_t a = 0, b = 0, c = 0, d = 0;
    for (size_t at = 0; at < LANE; at += 8) {
      a = word(a, load(data + at));
      b = word(b, load(data + LANE + at));
      c = word(c, load(data + 2 * LANE + at));
      d = word(d, load(data + 3 * LANE + at));
    }
    running = word(word(word(word(running, a), b), c), d);
  }
  for (; size; data++, size--)
    running = byte(running, *data);
  return running;
}

/* Asked once: cpuid leaves a virtual machine and costs some 10 us there. Freestanding code calls this before
 * it sums the page that holds the answer. */
static bool has_crc32(void) {
  static enum { UNKNOWN, MISSING, THERE } answer;
  unsigned a, b, c, d;
  if (answer == UNKNOWN)
    answer = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) ? THERE : MISSING;
  return answer == THERE;
}

uint32_t ckpt_checksum_portable(uint32_t running, const void *data, size_t size) {
  return sum(running, data, size, word_portable, byte_portable);
}

static uint32_t checksum_hardware(uint32_t running, const void *data, size_t size) {
  return sum(running, data, size, word_hardware, byte_hardware);
}

uint32_t ckpt_checksum(uint32_t running, const void *data, size_t size) {
  if (size == 0)
    return running;
  return has_crc32() ? checksum_hardware(running, data, size) : ckpt_checksum_portable(running, data, size);
}
