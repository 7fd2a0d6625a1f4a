/* Tests of native/core/checksum.h. */
#include "core/checksum.h"

#include "unit.h"

static uint8_t bytes[5 * 4096 + 123];

static void fill(void) {
  uint32_t state = 1;
  for (size_t i = 0; i < sizeof bytes; i++) {
    state = state * 1664525 + 1013904223;
    bytes[i] = (uint8_t)(state >> 24);
  }
}

/* CRC-32C as every table of checksums has it, without the final inversion. */
static void agrees_with_crc32c(void) {
  EXPECT(~ckpt_checksum(CKPT_CHECKSUM_START, "123456789", 9) == 0xe3069283u);
  EXPECT(~ckpt_checksum_portable(CKPT_CHECKSUM_START, "123456789", 9) == 0xe3069283u);
  EXPECT(ckpt_checksum(CKPT_CHECKSUM_START, "", 0) == CKPT_CHECKSUM_START);
}

static void is_the_same_without_the_instruction(void) {
  fill();
  static const size_t sizes[] = {0, 1, 7, 8, 4095, 4096, 4097, 8192, sizeof bytes};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    EXPECT(ckpt_checksum(CKPT_CHECKSUM_START, bytes, sizes[i]) ==
           ckpt_checksum_portable(CKPT_CHECKSUM_START, bytes, sizes[i]));
}

static void goes_on_at_blocks(void) {
  fill();
  uint32_t whole = ckpt_checksum(CKPT_CHECKSUM_START, bytes, sizeof bytes);
  uint32_t parts = ckpt_checksum(CKPT_CHECKSUM_START, bytes, 3 * 4096);
  EXPECT(ckpt_checksum(parts, bytes + 3 * 4096, sizeof bytes - 3 * 4096) == whole);
}

static void sees_every_bit(void) {
  fill();
  uint32_t whole = ckpt_checksum(CKPT_CHECKSUM_START, bytes, 4096 + 10);
  for (size_t bit = 0; bit < (4096 + 10) * 8; bit += 61) {
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    EXPECT(ckpt_checksum(CKPT_CHECKSUM_START, bytes, 4096 + 10) != whole);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
}

static void takes_any_alignment(void) {
  fill();
  uint32_t wanted = ckpt_checksum(CKPT_CHECKSUM_START, bytes, 4096 + 100);
  static uint8_t shifted[4096 + 200];
  for (size_t by = 1; by < 9; by++) {
    memcpy(shifted + by, bytes, 4096 + 100);
    EXPECT(ckpt_checksum(CKPT_CHECKSUM_START, shifted + by, 4096 + 100) == wanted);
  }
}

int main(void) {
  unit_run("checksum agrees with CRC-32C", agrees_with_crc32c);
  unit_run("checksum is the same without the instruction", is_the_same_without_the_instruction);
  unit_run("checksum goes on at blocks", goes_on_at_blocks);
  unit_run("checksum sees every bit", sees_every_bit);
  unit_run("checksum takes any alignment", takes_any_alignment);
  return unit_status();
}
