import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { checksum } from "../src/checksum.ts";
import { PT_LOAD, PT_NOTE, readHeader, readProgramHeaders } from "../src/elf.ts";
import { NoteType, PROLOGUE } from "../src/format.ts";
import { roundtrips } from "./roundtrip.ts";
import { built, TempDir } from "./support.ts";
import { imagesOf, Target } from "./target.ts";

roundtrips([
  {
    does: "brings back working directory, umask, limits, nice value and personality",
    program: "process_settings",
    args: (dir) => [dir.join("work")],
  },
  {
    does: "brings back name, command line and environment",
    program: "process_names",
    args: () => ["first argument", "second"],
  },
  { does: "brings back the process id", program: "process_pid" },
  { does: "keeps the clocks of the vdso", program: "vdso" },
]);

Deno.test("restart() keeps the clocks of another kernel's vdso", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/vdso")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  let image = await first.checkpoint();
  await first.kill();
  for (let level = 0; level < 2; level++) {
    await using again = Target.restart(image, { env: { CKPT_FORCE: "vdso" } });
    await again.ping();
    image = await again.checkpoint();
    await again.kill();
  }
  await using last = Target.restart(image, { env: { CKPT_FORCE: "vdso" } });
  await last.send("go\n");
  await last.succeed();
});

/** Changes a byte of padding at the end of the vdso in a core, and makes the checksums right again. */
async function changeVdso(path: string, vdso: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  const view = new DataView(bytes.buffer);
  const { programHeaders, programHeaderCount } = readHeader(bytes);
  const headers = readProgramHeaders(bytes.subarray(programHeaders), programHeaderCount);
  const load = headers.find(({ type, address }) => type === PT_LOAD && Number(address) === vdso)!;
  const notes = headers.find(({ type }) => type === PT_NOTE)!;
  const at = Number(load.offset) + Number(load.fileSize) - 1;
  assertEquals(bytes[at], 0);
  bytes[at] = 1;

  const prologue = PROLOGUE.decode(bytes.subarray(64));
  const chunkSize = prologue.chunk_size;
  const start = Number(prologue.data_offset);
  const end = start + Number(prologue.data_size);
  const chunk = Math.floor((at - start) / chunkSize);
  const from = start + chunk * chunkSize;
  const [notesStart, notesEnd] = [Number(notes.offset), Number(notes.offset + notes.fileSize)];
  for (let note = notesStart; note < notesEnd;) {
    const [nameSize, size, type] = [0, 4, 8].map((field) => view.getUint32(note + field, true));
    const data = note + 12 + Math.ceil(nameSize! / 4) * 4;
    if (type === NoteType.CHECKSUMS) {
      const sum = checksum(bytes.subarray(from, Math.min(from + chunkSize, end)));
      view.setUint32(data + 8 + chunk * 4, sum, true);
    }
    note = data + Math.ceil(size! / 4) * 4;
  }
  const place = (name: string) => 64 + PROLOGUE.places.find((field) => field.name === name)!.offset;
  view.setUint32(place("notes_crc"), checksum(bytes.subarray(notesStart, notesEnd)), true);
  view.setUint32(place("prologue_crc"), 0, true);
  view.setUint32(place("prologue_crc"), checksum(bytes.subarray(0, 64 + PROLOGUE.size)), true);
  await Deno.writeFile(path, bytes);
}

Deno.test("restart() lets an image with another vdso use this kernel's", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/vdso")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const vdsoOf = async (pid: number) => {
    const maps = await Deno.readTextFile(`/proc/${pid}/maps`);
    return Number.parseInt(maps.split("\n").find((line) => line.endsWith("[vdso]"))!, 16);
  };
  const vdso = await vdsoOf(first.pid);
  const image = await first.checkpoint();
  await changeVdso(join(image, `${first.pid}.core`), vdso);
  await first.kill();
  await using again = Target.restart(image);
  await again.ping();
  assert(await vdsoOf(again.pid) !== vdso); // it is elsewhere, and the old one leads there
  await again.send("go\n");
  await again.succeed();
});

Deno.test("checkpoint() works a hundred times for one process", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/memory_contents")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  for (let number = 1; number <= 100; number++) await target.checkpoint();
  const images = imagesOf(target.job);
  assertEquals(images.length, 100);
  await target.ping(); // by then the link is set, too
  assertEquals(await Deno.readLink(`${target.job}/latest`), "000100.ckpt");
  await target.kill();
  await using again = Target.restart(target.job);
  await again.send("go\n");
  await again.succeed();
});

Deno.test("restart() works to depth five, and image numbers go on", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/memory_contents")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  let image = await first.checkpoint();
  await first.kill();
  for (let depth = 2; depth <= 6; depth++) {
    await using target = Target.restart(image);
    await target.ping();
    image = await target.checkpoint();
    assertEquals(image, `${target.job}/00000${depth}.ckpt`);
    await target.kill();
  }
  await using last = Target.restart(image);
  await last.send("go\n");
  await last.succeed();
});

Deno.test("restart() brings one image back as many times as wanted", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/memory_heap")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  for (let time = 0; time < 3; time++) {
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  }
});
