import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Image, ImageError, launch, restart } from "../mod.ts";
import { namesIn, outputOf } from "./counter.ts";
import { built, eventually, run, TempDir, testUnless } from "./support.ts";
import { everyone, Target, userObstacle, type Who } from "./target.ts";

interface Ledger extends AsyncDisposable {
  image: string;
  /** What the program changes in place, and what it reads. */
  data: string;
  input: string;
  /** What is in `data` now. */
  now: Uint8Array;
  dir: TempDir;
}

/** A ledger with an image after two changes, that was killed after four. */
async function saved(env: Record<string, string>, as: Who = "self"): Promise<Ledger> {
  const dir = await TempDir.make();
  const [data, input] = [dir.join("data"), dir.join("input")];
  await Deno.writeTextFile(input, "0123456789");
  await using target = Target.launch([built("tests/file_ledger"), data, input], {
    dir: dir.join("ckpt"),
    env,
    as,
  });
  await target.waitFor("READY\n");
  await change(target, 2);
  const image = await target.checkpoint();
  await change(target, 2);
  await target.kill();
  const now = await Deno.readFile(data);
  return { image, data, input, now, dir, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

async function change(target: Target, times: number): Promise<void> {
  const changes = () => target.stdout.text.split("changed").length;
  for (const wanted = changes() + times; changes() < wanted;) {
    const before = changes();
    await target.send("more\n");
    await eventually("a change", () => changes() > before);
  }
  await target.waitUntilAsleep();
}

/** Brings it back, lets it change more and look at its files. */
async function goOn(image: string, options: string[] = [], as: Who = "self"): Promise<string> {
  await using again = Target.restart(image, { options, as });
  await change(again, 2);
  await again.send("go\n");
  await again.succeed();
  return again.stderr.text;
}

const ALL = { CKPT_WITH_FILES: "*" };

for (const who of everyone) {
  Deno.test(`restart() rolls back what the program changed in place, as ${who}`, async () => {
    await using ledger = await saved(ALL, who);
    const kept = `${ledger.dir.path}/ckpt/job/old-000001-data-1`;
    assertEquals(
      await goOn(ledger.image, [], who),
      `restart: ${ledger.data} had changed: it is as it was, what was there is in ${kept}\n`,
    );
    assertEquals(await Deno.readFile(kept), ledger.now);
    // As often as wanted.
    await goOn(ledger.image, [], who);
  });

  Deno.test(`restart() makes files again that are gone, as ${who}`, async () => {
    await using ledger = await saved(ALL, who);
    await Deno.remove(ledger.data);
    assertEquals(
      await goOn(ledger.image, [], who),
      `restart: ${ledger.data} was gone: it is as it was again\n`,
    );
    assertEquals((await Deno.stat(ledger.data)).mode! & 0o777, 0o640);
  });
}

Deno.test("restart() only cuts what has grown behind what the image carries", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("data");
  await using writer = Target.launch([built("tests/file_writer"), path], {
    dir: dir.join("ckpt"),
    env: ALL,
  });
  await writer.waitFor("READY\n");
  const image = await writer.checkpoint();
  await writer.send("more\n");
  await writer.waitFor("line 1\n");
  await writer.kill();
  await using again = Target.restart(image);
  await again.send("more\ngo\n");
  await again.succeed();
  assertEquals(await Deno.readTextFile(path), "line 1\n");
  assertEquals(await namesIn(dir.join("ckpt/job")), ["000001.ckpt", "cut-000001-data-1", "latest"]);
});

Deno.test("restart() leaves files alone that are as the image has them", async () => {
  await using ledger = await saved(ALL);
  const carried = (await Image.open(ledger.image)).processes[0]!.files
    .find(({ path }) => path === ledger.data)!.carried;
  await Deno.copyFile(`${ledger.image}/files/${carried}`, ledger.data);
  assertEquals(await goOn(ledger.image), "");
});

Deno.test("restart() reads on in the image's copy of a file that others have changed", async () => {
  await using ledger = await saved(ALL);
  const words =
    `restart: ${ledger.input} has changed since: the program goes on with the image's copy of it\n`;
  await Deno.writeTextFile(ledger.input, "other, and longer");
  assert((await goOn(ledger.image)).startsWith(words));
  assertEquals(await Deno.readTextFile(ledger.input), "other, and longer");
  assertEquals(await namesIn(ledger.dir.path), ["ckpt", "data", "input"]);
});

Deno.test("restart() --files=keep and strict leave a file alone that the image carries", async () => {
  await using ledger = await saved(ALL);
  const keep = await run([built("restart"), "--files=keep", ledger.image]);
  assertMatch(keep.stderr, /standard input ended/);
  for (const harm of [() => {}, Deno.removeSync]) {
    harm(ledger.data);
    const strict = await run([built("restart"), "--files=strict", ledger.image]);
    assertEquals(strict.code, 1);
    assert(strict.stderr.startsWith(`restart: ${ledger.data}`), strict.stderr);
  }
  assertEquals(await namesIn(ledger.dir.join("ckpt/job")), ["000001.ckpt", "latest"]);
});

Deno.test("restart() changes no file when the program does not come back", async () => {
  await using ledger = await saved(ALL);
  const [core] = (await namesIn(ledger.image)).filter((name) => name.endsWith(".core"));
  // Memory is only looked at while it is read: by then there is a new process.
  const bytes = await Deno.readFile(`${ledger.image}/${core}`);
  bytes[5000]! ^= 1;
  await Deno.writeFile(`${ledger.image}/${core}`, bytes);
  for (const harm of [() => {}, Deno.removeSync]) {
    harm(ledger.data);
    const before = await namesIn(ledger.dir.path);
    const { code, stderr } = await run([built("restart"), ledger.image]);
    assertEquals(code, 1);
    assertMatch(stderr, /^restart: the image is damaged/);
    assertEquals(await namesIn(ledger.dir.path), before);
    if (before.includes("data")) assertEquals(await Deno.readFile(ledger.data), ledger.now);
  }
});

Deno.test("restart() names a copy that the image has lost, and starts nothing", async () => {
  await using ledger = await saved(ALL);
  await Deno.remove(ledger.data);
  await Deno.remove(`${ledger.image}/files`, { recursive: true });
  const { code, stderr } = await run([built("restart"), ledger.image]);
  assertEquals(code, 1);
  assertMatch(stderr, /^restart: .*\/files\/\d+, the image's copy of .*\/data: No such file/);
  assertEquals(await namesIn(ledger.dir.path), ["ckpt", "input"]);
});

Deno.test("restart() and verify() find a changed byte in what an image carries", async () => {
  await using ledger = await saved(ALL);
  const image = await Image.open(ledger.image);
  await image.verify();
  const { carried } = image.processes[0]!.files.find(({ path }) => path === ledger.data)!;
  const copy = `${ledger.image}/files/${carried}`;
  const bytes = await Deno.readFile(copy);
  bytes[63]! ^= 1;
  await Deno.writeFile(copy, bytes);
  await assertRejects(
    () => image.verify(),
    ImageError,
    `files/${carried} is damaged (the contents of ${ledger.data})`,
  );
  for (const option of ["--check", "--quiet"]) {
    const { code, stderr } = await run([built("restart"), option, ledger.image]);
    assertEquals(code, 1);
    assertEquals(
      stderr,
      `restart: the image is damaged: its copy of ${ledger.data} does not match its checksum\n`,
    );
  }
  assertEquals(await Deno.readFile(ledger.data), ledger.now);
});

Deno.test("an image carries a large file with holes as one with holes", async () => {
  await using dir = await TempDir.make();
  const [data, input] = [dir.join("data"), dir.join("input")];
  const size = 3 * 2 ** 30 + 5;
  using file = await Deno.open(input, { write: true, create: true });
  await file.write(new TextEncoder().encode("0123456789"));
  await file.truncate(size);
  await using target = Target.launch([built("tests/file_ledger"), data, input], {
    dir: dir.join("ckpt"),
    env: { CKPT_WITH_FILES: "input" },
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  const { carried } = (await Image.open(image)).processes[0]!.files.find(({ path }) =>
    path === input
  )!;
  const copy = await Deno.stat(`${image}/files/${carried}`);
  assertEquals([copy.size, copy.blocks! < 100], [size, true]);
  await Deno.remove(input);
  await goOn(image);
  const again = await Deno.stat(input);
  assertEquals([again.size, again.blocks! < 100], [size, true]);
});

Deno.test("CKPT_WITH_FILES carries the files that it names", async () => {
  for (
    const [patterns, names] of [["dat?:x", ["data"]], ["*/in*", ["input"]], ["x", []]] as const
  ) {
    await using ledger = await saved({ CKPT_WITH_FILES: patterns });
    const { files } = (await Image.open(ledger.image)).processes[0]!;
    const carried = files.filter((file) => file.carried !== "");
    assertEquals(carried.map(({ path }) => path), names.map((name) => ledger.dir.join(name)));
  }
});

Deno.test("launch(), checkpoint() and ckpt save carry files on request", async () => {
  await using dir = await TempDir.make();
  await Deno.writeTextFile(dir.join("input"), "0123456789");
  const command = [built("tests/file_ledger"), dir.join("data"), dir.join("input")];
  await using ledger = outputOf(
    await launch(command, {
      dir: dir.join("ckpt"),
      name: "ledger",
      withFiles: "input",
      stdin: "piped",
      stdout: "piped",
    }),
  );
  await eventually("READY", () => ledger.output.text.includes("READY\n"));
  const carried = (image: Image) =>
    image.processes[0]!.files.filter((file) => file.carried).map(({ path }) =>
      path.slice(path.lastIndexOf("/") + 1)
    );
  assertEquals(carried(await ledger.job.checkpoint()), ["input"]);
  assertEquals(carried(await ledger.job.checkpoint({ withFiles: ["data", "none"] })), ["data"]);
  assertEquals(carried(await ledger.job.checkpoint({ withFiles: true })), ["data", "input"]);
  for (
    const [option, names] of [["--with-files", ["data", "input"]], ["--with-files=d*", [
      "data",
    ]]] as const
  ) {
    const { code } = await run([
      built("ckpt"),
      "save",
      "--dir",
      dir.join("ckpt"),
      option,
      "ledger",
    ]);
    assertEquals(code, 0);
    assertEquals(carried(await Image.open(dir.join("ckpt/ledger"))), [...names]);
  }
  const image = await ledger.job.checkpoint({ withFiles: true, kill: true });
  await Deno.remove(dir.join("data"));
  await using again = outputOf(
    await restart(image, { stdin: "piped", stdout: "piped", quiet: true }),
  );
  const writer = again.job.stdin.getWriter();
  await writer.write(new TextEncoder().encode("go\n"));
  await again.output.done;
  assertEquals(again.output.text, "EXIT-SUCCESS\n");
  await writer.close().catch(() => {});
  await ledger.job.stdin.close().catch(() => {});
});

Deno.test("ckpt run --with-files takes no value from what follows", async () => {
  await using dir = await TempDir.make();
  const script = 'echo "$CKPT_WITH_FILES $*"';
  const said = async (...options: string[]) =>
    (await run([built("ckpt"), "run", ...options, "sh", "-c", script, "sh", "--with-files"], {
      cwd: dir.path,
    })).stdout;
  assertEquals(await said("--with-files"), "* --with-files\n");
  assertEquals(await said("--with-files=*.db", "--"), "*.db --with-files\n");
  assertEquals(await said("--name", "x"), " --with-files\n");
});

testUnless(userObstacle, "restart() by root makes a user's file again as the user's", async () => {
  await using ledger = await saved(ALL, "user");
  await Deno.remove(ledger.data);
  await goOn(ledger.image, ["--any-owner"]);
  const { uid, gid } = await Deno.stat(ledger.data);
  assertEquals([uid, gid], [1000, 1000]);
});
