import { assert, assertEquals, assertRejects } from "@std/assert";
import { basename } from "@std/path";
import { Image, ImageError, images } from "../mod.ts";
import { FILE, NoteType } from "../src/format.ts";
import { count, namesIn, reaches } from "./counter.ts";
import { CoreEditor } from "./edit_core.ts";
import { TempDir } from "./support.ts";

/** An image of a counting program, which is dead by then. */
async function sample(dir: TempDir): Promise<Image> {
  await using counter = await count(dir, { name: "sim" });
  await reaches(counter, 2);
  return await counter.job.checkpoint({ kill: true });
}

function numberAt(bytes: Uint8Array, offset: number): number {
  return Number(new DataView(bytes.buffer).getBigUint64(offset, true));
}

Deno.test("Image.open() takes an image, a job's directory, `latest` and a core file", async () => {
  await using dir = await TempDir.make();
  const image = await sample(dir);
  const core = image.processes[0]!.path;
  for (const path of [image.path, dir.join("ckpt/sim"), dir.join("ckpt/sim/latest"), core]) {
    const same = await Image.open(path);
    assertEquals([same.path, same.id], [image.path, image.id]);
  }
});

Deno.test("Image.open() describes the process as it was", async () => {
  await using dir = await TempDir.make();
  const image = await sample(dir);
  const [process] = image.processes;
  assert(process);
  assertEquals([process.command, process.cwd], ["count", Deno.cwd()]);
  assertEquals(process.descriptors.slice(0, 2).map(({ fd, kind }) => [fd, kind]), [
    [0, "device"],
    [1, "outside"],
  ]);
  const [thread] = process.threads;
  assertEquals(process.threads.length, 1);
  assertEquals([thread!.tid, thread!.name], [process.pid, "count"]);
  assert(thread!.instruction > 0n);
  const stack = process.regions.find((region) => region.flags.includes("stack"));
  assert(stack && stack.protection === "rw-" && stack.stored > 0);
  const code = process.regions.filter((region) => region.path === process.program);
  assert(code.some((region) => region.protection === "r-x" && region.kind === "file"));
  const stored = process.regions.reduce((sum, region) => sum + region.stored, 0);
  assertEquals(stored, process.size);
  assert(Math.abs(Date.now() - image.time.getTime()) < 60_000);
});

Deno.test("Image.open() refuses what is no image, in one line", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("x.core");
  const refuse = async (problem: string) => {
    const error = await assertRejects(() => Image.open(path), ImageError, problem);
    assert(!error.message.includes("\n"));
  };
  await refuse("there is no such file");
  await Deno.writeTextFile(path, "");
  await refuse("it is empty");
  await Deno.writeTextFile(path, "hello");
  await refuse("it is not a core file");
  await Deno.copyFile("/bin/true", path);
  await refuse("it is not a core file that ckpt wrote");
  await assertRejects(() => Image.open(dir.path), ImageError, "it is not a core file that ckpt");
  await Deno.remove(path);
  await assertRejects(() => Image.open(dir.path), ImageError, "there is no image in it");
});

Deno.test("Image.open() notices a core that is cut off, wherever that is", async () => {
  await using dir = await TempDir.make();
  const path = (await sample(dir)).processes[0]!.path;
  const whole = await Deno.readFile(path);
  const step = Math.ceil(whole.length / 150);
  const sizes = [1, 3, 63, 64, 100, 4095, 4096, whole.length - 1];
  for (let size = step; size < whole.length; size += step) sizes.push(size);
  for (const size of sizes) {
    await Deno.writeFile(path, whole.subarray(0, size));
    await assertRejects(() => Image.open(path), ImageError, path);
  }
  await Deno.writeFile(path, new Uint8Array([...whole, 0]));
  await assertRejects(() => Image.open(path), ImageError, "should end");
});

Deno.test("Image.open() notices a flipped byte in headers and notes, verify() in memory", async () => {
  await using dir = await TempDir.make();
  const image = await sample(dir);
  const path = image.processes[0]!.path;
  const whole = await Deno.readFile(path);
  const notes = numberAt(whole, 64 + 8 + 8 + 24);
  const flip = async (at: number) => {
    const damaged = whole.slice();
    damaged[at]! ^= 0x40;
    await Deno.writeFile(path, damaged);
  };
  for (let at = 0; at < 64 + 88; at++) {
    await flip(at);
    await assertRejects(() => Image.open(path), ImageError, path);
  }
  for (let at = notes; at < whole.length; at += 97) {
    await flip(at);
    await assertRejects(() => Image.open(path), ImageError, "damaged");
  }
  for (const at of [200, 4095, 4096, 5000, notes - 1]) {
    await flip(at);
    const damaged = await Image.open(path);
    const error = await assertRejects(() => damaged.verify(), ImageError, "is damaged");
    assertEquals(error.problems.length, 1);
  }
});

Deno.test("Image.open() refuses files without a name, verify() odd checksums, under right checksums", async () => {
  await using dir = await TempDir.make();
  const image = await sample(dir);
  const path = image.processes[0]!.path;
  const whole = await Deno.readFile(path);
  let editor = await CoreEditor.open(path);
  editor.addToFirst(NoteType.FILES, FILE, "path", 1 << 30);
  await editor.save();
  await assertRejects(() => Image.open(image.path), ImageError, "outside the strings");
  await Deno.writeFile(path, whole);
  editor = await CoreEditor.open(path);
  editor.bytes[editor.note(NoteType.CHECKSUMS) + 4]! -= 1;
  await editor.save();
  const odd = await Image.open(image.path);
  await assertRejects(() => odd.verify(), ImageError, "holds entries of 3");
});

Deno.test("Image.open() refuses a newer format and another architecture by name", async () => {
  await using dir = await TempDir.make();
  const path = (await sample(dir)).processes[0]!.path;
  const whole = await Deno.readFile(path);
  const newer = whole.slice();
  newer[64 + 8] = 9;
  await Deno.writeFile(path, newer);
  await assertRejects(() => Image.open(path), ImageError, "its format 9 is newer");
  const other = whole.slice();
  other[18] = 183;
  await Deno.writeFile(path, other);
  await assertRejects(() => Image.open(path), ImageError, "another architecture (ELF machine 183)");
});

Deno.test("Image.open() of a job skips a newest image that is damaged", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  const first = await counter.job.checkpoint();
  const second = await counter.job.checkpoint();
  await Deno.truncate(second.processes[0]!.path, 5000);
  assertEquals((await Image.open(dir.join("ckpt/sim"))).id, first.id);
  assertEquals((await images(dir.join("ckpt"))).map((image) => image.id), [first.id]);
});

Deno.test("images() gives those of all jobs, the newest last, and none of a missing directory", async () => {
  await using dir = await TempDir.make();
  await using b = await count(dir, { name: "b" });
  const first = await b.job.checkpoint();
  await using a = await count(dir, { name: "a" });
  const second = await a.job.checkpoint();
  const third = await b.job.checkpoint();
  const found = await images(dir.join("ckpt"));
  assertEquals(found.map((image) => image.id), [first, second, third].map((image) => image.id));
  assertEquals(await images(dir.join("nowhere")), []);
});

Deno.test("remove() leaves the other images, and `latest` leads to the newest of them", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  const first = await counter.job.checkpoint();
  const second = await counter.job.checkpoint();
  await counter.job.kill();
  await second.remove();
  assertEquals(await namesIn(dir.join("ckpt/sim")), ["000001.ckpt", "latest"]);
  assertEquals(await Deno.readLink(dir.join("ckpt/sim/latest")), basename(first.path));
  await first.remove();
  assertEquals(await namesIn(dir.join("ckpt/sim")), []);
});
