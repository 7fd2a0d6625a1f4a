import { assertEquals } from "@std/assert";
import { checksum } from "../src/checksum.ts";
import { Library } from "../src/library.ts";
import { TempDir } from "./support.ts";

Deno.test("checksum() gives what the native one gives, for every kind of length", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("data");
  const data = crypto.getRandomValues(new Uint8Array(3 * 4096 + 123));
  await Deno.writeFile(path, data);
  using library = new Library();
  for (const size of [1, 7, 4095, 4096, 4097, data.length]) {
    const [sum] = await library.checksums(path, { offset: 0, size, chunk: 1 << 20 });
    assertEquals([size, sum], [size, checksum(data.subarray(0, size))]);
  }
});

Deno.test("checksums() sums each chunk from its offset, the last one short", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("data");
  const data = crypto.getRandomValues(new Uint8Array(4096 * 3));
  await Deno.writeFile(path, data);
  using library = new Library();
  const sums = await library.checksums(path, { offset: 100, size: 4096 + 5, chunk: 4096 });
  assertEquals([...sums], [
    checksum(data.subarray(100, 4196)),
    checksum(data.subarray(4196, 4201)),
  ]);
});

Deno.test("checksums() notices a file that is too short", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("data");
  await Deno.writeFile(path, new Uint8Array(10));
  using library = new Library();
  const error = await library.checksums(path, { offset: 0, size: 11, chunk: 4096 })
    .catch((error) => error);
  assertEquals(error.errno, -5);
});
