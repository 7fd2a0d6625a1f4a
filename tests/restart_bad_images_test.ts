import { assert, assertEquals, assertMatch } from "@std/assert";
import { basename } from "@std/path";
import { checksum } from "../src/checksum.ts";
import { CHILD, FILE, NoteType, REGION, WATCH } from "../src/format.ts";
import { CoreEditor } from "./edit_core.ts";
import { built, isRoot, run, type RunResult, TempDir, testUnless } from "./support.ts";
import { coreOf, coresOf, Target, userObstacle, type Who } from "./target.ts";

/** An image of a small program that was killed. */
async function makeImage(dir: TempDir, as: Who = "self"): Promise<string> {
  await using target = Target.launch([built("tests/backtrace")], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
    as,
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  return image;
}

const restartProgram = built("restart");

function restart(...words: string[]): Promise<RunResult> {
  return run([restartProgram, ...words]);
}

/** One line or more that says what is wrong, status 1, nothing on standard output. */
function assertRefused(result: RunResult, what: string, words?: RegExp): void {
  assertEquals(result.code, 1, `${what}: status ${result.code}, ${result.stderr}`);
  assertEquals(result.stdout, "", what);
  assertMatch(result.stderr, /^restart: .+\n/, what);
  if (words) assertMatch(result.stderr, words, what);
}

/** Runs many restarts, a few at a time; each gets its own copy of the core to spoil. */
async function each(
  count: number,
  work: (index: number, core: string) => Promise<void>,
  dir: TempDir,
) {
  let next = 0;
  const name = basename(coreOf(dir.join("ckpt/job/000001.ckpt")));
  const worker = async (number: number) => {
    const image = dir.join(`copy-${number}`);
    await Deno.mkdir(image, { mode: 0o700 });
    while (next < count) await work(next++, `${image}/${name}`);
  };
  await Promise.all([0, 1, 2, 3].map(worker));
}

interface Layout {
  fileSize: number;
  dataOffset: number;
  dataSize: number;
  notesOffset: number;
}

function layoutOf(bytes: Uint8Array): Layout {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const number = (offset: number) => Number(view.getBigUint64(64 + offset, true));
  return {
    fileSize: number(16),
    dataOffset: number(24),
    dataSize: number(32),
    notesOffset: number(40),
  };
}

Deno.test("restart() with wrong words says how it is used and exits with 2", async () => {
  for (
    const words of [[], ["--no-such-option", "x"], ["a", "b"], ["--pid=sometimes", "x"], [
      "--clocks=maybe",
      "x",
    ], [
      "--files=maybe",
      "x",
    ]]
  ) {
    const { code, stdout, stderr } = await restart(...words);
    assertEquals(code, 2, `${words}: ${stderr}`);
    assertEquals(stdout, "");
    assert(stderr.length > 0);
  }
});

Deno.test("restart() refuses an image that is missing, empty or no image", async () => {
  await using dir = await TempDir.make();
  assertRefused(await restart(dir.join("missing")), "missing", /No such file/);
  await Deno.mkdir(dir.join("empty"));
  assertRefused(await restart(dir.join("empty")), "empty directory");
  await Deno.writeFile(dir.join("1.core"), new Uint8Array());
  assertRefused(await restart(dir.join("1.core")), "empty file");
  await Deno.writeTextFile(dir.join("2.core"), "no image at all\n".repeat(10_000));
  assertRefused(await restart(dir.join("2.core")), "text");
  await Deno.copyFile(built("count"), dir.join("3.core"));
  assertRefused(await restart(dir.join("3.core")), "an executable");
});

Deno.test("restart() refuses an image that is cut off anywhere", async () => {
  await using dir = await TempDir.make();
  const bytes = await Deno.readFile(coreOf(await makeImage(dir)));
  const { notesOffset } = layoutOf(bytes);
  const lengths = new Set<number>();
  for (let i = 0; i < 256; i++) lengths.add(i);
  for (let i = 0; i < 128; i++) {
    lengths.add(Math.floor(bytes.length * i / 128));
    lengths.add(bytes.length - 1 - i);
    lengths.add(notesOffset - 64 + i);
  }
  const list = [...lengths];
  await each(list.length, async (index, core) => {
    await Deno.writeFile(core, bytes.subarray(0, list[index]!), { mode: 0o600 });
    assertRefused(await restart(core), `cut at ${list[index]}`);
  }, dir);
});

Deno.test("restart() refuses an image with bytes behind its end", async () => {
  await using dir = await TempDir.make();
  const core = coreOf(await makeImage(dir));
  await Deno.writeFile(core, new Uint8Array(1), { append: true });
  assertRefused(await restart(core), "one byte more");
});

Deno.test("restart() refuses an image with a byte flipped in headers, notes or memory", async () => {
  await using dir = await TempDir.make();
  const bytes = await Deno.readFile(coreOf(await makeImage(dir)));
  const { dataOffset, dataSize, notesOffset, fileSize } = layoutOf(bytes);
  assertEquals(fileSize, bytes.length);
  const places: number[] = [];
  for (let i = 0; i < 256; i++) places.push(i);
  for (let i = 256; i < dataOffset; i += 509) places.push(i);
  for (let i = 0; i < 40; i++) places.push(dataOffset + Math.floor(dataSize * i / 40));
  for (let i = notesOffset; i < bytes.length; i += 13) places.push(i);
  await each(places.length, async (index, core) => {
    const place = places[index]!;
    const spoiled = bytes.slice();
    spoiled[place]! ^= 1 << (place % 8);
    await Deno.writeFile(core, spoiled, { mode: 0o600 });
    assertRefused(await restart(core), `bit flipped at ${place} (notes at ${notesOffset})`);
  }, dir);
});

/** Changes the header and makes its checksum right again. */
async function rewriteHeader(core: string, change: (view: DataView) => void): Promise<void> {
  const bytes = await Deno.readFile(core);
  const view = new DataView(bytes.buffer);
  change(view);
  const size = view.getUint32(64 + 12, true);
  const at = 64 + size - 4;
  view.setUint32(at, 0, true);
  view.setUint32(at, checksum(bytes.subarray(0, 64 + size)), true);
  await Deno.writeFile(core, bytes, { mode: 0o600 });
}

Deno.test("restart() refuses an image of another architecture", async () => {
  await using dir = await TempDir.make();
  const core = coreOf(await makeImage(dir));
  await rewriteHeader(core, (view) => view.setUint16(18, 183, true));
  assertRefused(await restart(core), "aarch64", /architecture|machine|aarch64|x86/i);
});

Deno.test("restart() refuses an image of a newer format", async () => {
  await using dir = await TempDir.make();
  const core = coreOf(await makeImage(dir));
  await rewriteHeader(core, (view) => view.setUint32(64 + 8, 99, true));
  assertRefused(await restart(core), "version 99", /99|newer/);
});

Deno.test("restart() refuses a process that no signal can have stopped so", async () => {
  await using dir = await TempDir.make();
  const core = coreOf(await makeImage(dir));
  const editor = await CoreEditor.open(core);
  editor.setProcess("stop_signal", 9);
  await editor.save();
  assertRefused(await restart(core), "stopped by SIGKILL", /process note/);
});

Deno.test("restart() refuses a removed working directory that is another file, or none", async () => {
  await using dir = await TempDir.make();
  const core = coreOf(await makeImage(dir));
  for (const file of [1, 1 << 20]) {
    const editor = await CoreEditor.open(core);
    editor.setProcess("cwd_file", file);
    await editor.save();
    assertRefused(await restart(core), `file ${file}`, /no directory that has been removed/);
  }
});

Deno.test("restart() refuses memory over a file that the image does not have", async () => {
  await using dir = await TempDir.make();
  const core = coreOf(await makeImage(dir));
  const editor = await CoreEditor.open(core);
  editor.addToFirst(NoteType.REGIONS, REGION, "file", 1 << 28);
  await editor.save();
  assertRefused(await restart(core), "file 1 << 28", /damaged: region 0/);
});

Deno.test("restart() refuses an epoll set of what no process of the image has", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/fd_epoll_numbers")], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await target.waitFor("READY\n");
  const core = coreOf(await target.checkpoint());
  await target.kill();
  const whole = await Deno.readFile(core);
  for (
    const [changes, words] of [
      [{ target: 1 << 19 }, /damaged: epoll watch 0/],
      [{ fd: 1 << 20 }, /damaged: epoll watch 0/],
      [{ pid: 1 << 22, target: 1 }, /watches descriptor \d+ of process \d+, which the image lacks/],
    ] as const
  ) {
    await Deno.writeFile(core, whole);
    const editor = await CoreEditor.open(core);
    for (const [field, by] of Object.entries(changes)) {
      editor.addToFirst(NoteType.WATCHES, WATCH, field, by);
    }
    await editor.save();
    assertRefused(await restart(core), JSON.stringify(changes), words);
  }
});

Deno.test("restart() refuses to make a file again whose path does not say where", async () => {
  await using dir = await TempDir.make();
  const core = coreOf(await makeImage(dir));
  const editor = await CoreEditor.open(core);
  editor.addToFirst(NoteType.FILES, FILE, "flags", 1 << 1 /* CKPT_FILE_CARRIED */);
  for (const field of ["path", "carried"]) editor.addToFirst(NoteType.FILES, FILE, field, 1);
  await editor.save();
  assertRefused(await restart(core), "a relative path", /damaged: file 0/);
});

Deno.test("restart() takes no note of a running program whose start is not known for that of one", async () => {
  await using dir = await TempDir.make();
  const image = await makeImage(dir);
  const boot = await Deno.readTextFile("/proc/sys/kernel/random/boot_id");
  await Deno.writeTextFile(dir.join("ckpt/job/running"), `${(1 << 30) - 1} 0 ${boot}`);
  await using again = Target.restart(image);
  await again.send("go\n");
  await again.succeed();
});

Deno.test("restart() and ckpt show let no name in an image command the terminal", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("red\x1b[31m");
  await using target = Target.launch([built("tests/file_writer"), path], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  await Deno.remove(path);
  assertRefused(await restart(image), "a file that is gone", /red\?\[31m, which/);
  for (const part of ["--fds", "--json"]) {
    const { stdout } = await run([built("ckpt"), "show", part, image]);
    assertMatch(stdout, /red(\?|\\u001b)\[31m/);
    assert(!stdout.includes("\x1b"), stdout);
  }
});

Deno.test("restart() refuses an image whose first process is an orphan", async () => {
  await using dir = await TempDir.make();
  const core = coreOf(await makeImage(dir));
  const editor = await CoreEditor.open(core);
  editor.setProcess("orphan", 1);
  await editor.save();
  assertRefused(await restart(core), "an orphan that leads", /is an orphan in it/);
});

Deno.test("restart() refuses a child that has ended by a signal which ends nobody", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/tree_family")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  for (const core of coresOf(image)) {
    const editor = await CoreEditor.open(core);
    editor.addToFirst(NoteType.CHILDREN, CHILD, "status", 19 /* SIGSTOP */);
    await editor.save();
  }
  assertRefused(await restart(image), "a child that SIGSTOP has ended", /damaged: child 0/);
});

Deno.test("restart() accepts a header that was rewritten without a change", async () => {
  await using dir = await TempDir.make();
  const image = await makeImage(dir);
  await rewriteHeader(coreOf(image), () => {});
  await using again = Target.restart(image);
  await again.send("go\n");
  await again.succeed();
});

testUnless(
  userObstacle,
  "restart() refuses an image of another owner unless told otherwise",
  async () => {
    await using dir = await TempDir.make();
    const image = await makeImage(dir, "user");
    assertRefused(await restart(image), "uid 1000", /user 1000.*--any-owner/);
    await using again = Target.restart(image, { options: ["--any-owner"] });
    await again.ping();
    const status = await Deno.readTextFile(`/proc/${again.programPid}/status`);
    assertMatch(status, /^Uid:\t1000\t1000\t1000\t1000$/m);
    await again.send("go\n");
    await again.succeed();
  },
);

testUnless(
  !isRoot && "only root can give files away",
  "restart() refuses a user's image that claims to be root's",
  async () => {
    await using dir = await TempDir.make();
    const image = await makeImage(dir);
    await Deno.chown(coreOf(image), 1000, 1000);
    assertRefused(await restart("--any-owner", image), "uid 1000", /user 1000.*user 0/);
  },
);

Deno.test("restart() --pid=same refuses while the program still runs", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/backtrace")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  assertRefused(
    await restart("--pid=same", image),
    "the original runs",
    new RegExp(`${target.pid}`),
  );
  await target.ping();
  await target.send("go\n");
  await target.succeed();
});

Deno.test("restart() refuses names of sockets that somebody else has, and disturbs nobody", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/fd_unix")], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  const result = await restart("--pid=namespace", image);
  assertRefused(result, "sockets in use", /socket \/.*stream.socket cannot be made again/);
  assertMatch(result.stderr, /socket @ckpt test \d+ cannot be made again/);
  await target.send("go\n");
  await target.succeed();
});

Deno.test("restart() beside the running program works in a namespace of its own", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/process_pid")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await using again = Target.restart(image, { options: ["--pid=namespace"] });
  await again.ping();
  await target.ping();
  await again.send("go\n");
  await again.succeed();
  await target.send("go\n");
  await target.succeed();
});
