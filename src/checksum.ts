// CRC-32C in four lanes: native/core/checksum.h says how it is defined.

const START = 0xffffffff;
const BLOCK = 4096;
const LANES = 4;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

function crc32c(running: number, data: Uint8Array): number {
  let crc = running;
  for (let i = 0; i < data.length; i++) crc = TABLE[(crc ^ data[i]!) & 0xff]! ^ (crc >>> 8);
  return crc >>> 0;
}

/**
 * The checksum of images, for the small parts (headers, notes). Memory goes through the helper library,
 * which has the processor's own instruction for it.
 */
export function checksum(data: Uint8Array): number {
  const lane = new Uint8Array(8);
  const view = new DataView(lane.buffer);
  let running = START;
  let offset = 0;
  for (; data.length - offset >= BLOCK; offset += BLOCK) {
    const sums = Array.from({ length: LANES }, (_, i) => {
      const start = offset + i * (BLOCK / LANES);
      return crc32c(0, data.subarray(start, start + BLOCK / LANES));
    });
    for (const sum of sums) {
      view.setUint32(0, sum, true);
      running = crc32c(running, lane);
    }
  }
  return crc32c(running, data.subarray(offset));
}
