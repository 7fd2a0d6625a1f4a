import { assert, assertEquals, assertRejects } from "@std/assert";
import { launch } from "../mod.ts";
import { assertConsecutive, count, namesIn, numbersOf, reaches } from "./counter.ts";
import { built, eventually, run, TempDir } from "./support.ts";

Deno.test("launch() gives through input, output, environment, directory and exit status", async () => {
  await using dir = await TempDir.make();
  const script = 'read line; echo "$line $GREETING $(pwd)"; echo oops >&2; exit 7';
  await using job = await launch(["sh", "-c", script], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
    env: { GREETING: "hello" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const writer = job.stdin.getWriter();
  await writer.write(new TextEncoder().encode("well\n"));
  await writer.close();
  const [out, err] = await Promise.all([
    new Response(job.stdout).text(),
    new Response(job.stderr).text(),
  ]);
  assertEquals([out, err], [`well hello ${dir.path}\n`, "oops\n"]);
  assertEquals(await job.status, { success: false, code: 7, signal: null });
});

Deno.test("launch() leaves nothing behind when no image was made", async () => {
  await using dir = await TempDir.make();
  const job = await launch(["true"], { dir: dir.join("a/ckpt"), name: "short" });
  assertEquals((await job.status).code, 0);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("launch() tells which program there is not, before it makes anything", async () => {
  await using dir = await TempDir.make();
  await assertRejects(
    () => launch(["/no/such/program"], { dir: dir.join("ckpt") }),
    Deno.errors.NotFound,
    "/no/such/program",
  );
  await assertRejects(() => launch([], { dir: dir.join("ckpt") }), TypeError);
  await assertRejects(() => launch(["true"], { dir: dir.join("ckpt"), keep: 0 }), RangeError);
  await assertRejects(() => launch(["true"], { dir: dir.join("ckpt"), name: "a/b" }), TypeError);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("launch() refuses a directory of images that is a file", async () => {
  await using dir = await TempDir.make();
  await Deno.writeTextFile(dir.join("file"), "");
  const words = (path: string) => `Cannot keep images in ${dir.join(path)}: a file is in the way`;
  const type = Deno.errors.NotADirectory;
  await assertRejects(() => launch(["true"], { dir: dir.join("file") }), type, words("file"));
  await assertRejects(() => launch(["true"], { dir: dir.join("file/a") }), type, words("file/a"));
  await assertRejects(() => launch(["true"], { dir: dir.path, name: "file" }), type, words("file"));
});

Deno.test("launch() finds out that it may not write before the program begins", async () => {
  await using dir = await TempDir.make();
  const command = ["touch", dir.join("begun")];
  const error = await launch(command, { dir: "/proc/sys" }).catch((error) => error);
  assert(String(error.message).startsWith("Cannot keep images in /proc/sys: "), error.message);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("launch() refuses a name that runs already", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  await assertRejects(
    () => launch(["true"], { dir: dir.join("ckpt"), name: "sim" }),
    Deno.errors.AlreadyExists,
    `as process ${counter.job.pid}`,
  );
});

Deno.test("launch() takes an abort signal, and status names what ended the program", async () => {
  await using dir = await TempDir.make();
  const abort = new AbortController();
  await using counter = await count(dir, { signal: abort.signal });
  await reaches(counter, 2);
  abort.abort();
  assertEquals(await counter.job.status, { success: false, code: 143, signal: "SIGTERM" });
});

Deno.test("checkpoint() returns once the image is on disk, and the program goes on", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  const image = await counter.job.checkpoint();
  assertEquals([image.job, image.number, image.program], ["sim", 1, "count"]);
  assertEquals(image.processes.map((process) => process.pid), [counter.job.pid]);
  assert(image.made && image.made.bytes > 0 && image.made.duration >= image.made.pause);
  await image.verify();
  const at = numbersOf(counter).at(-1) ?? 0;
  await reaches(counter, at + 5);
  assertEquals((await counter.job.checkpoint()).number, 2);
  assertConsecutive(numbersOf(counter));
});

Deno.test("checkpoint() works as soon as launch() has returned, and many at once take turns", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir);
  const images = await Promise.all([1, 2, 3].map(() => counter.job.checkpoint()));
  assertEquals(images.map((image) => image.number), [1, 2, 3]);
});

Deno.test("checkpoint({ kill }) ends the program with its image on disk", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir);
  const image = await counter.job.checkpoint({ kill: true });
  assertEquals((await counter.job.status).signal, "SIGKILL");
  await image.verify();
});

Deno.test("checkpoint() of a program that has ended says so", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { to: 1 });
  await counter.job.status;
  await assertRejects(() => counter.job.checkpoint(), Error, "it has ended");
});

Deno.test("launch({ every, keep }) makes images by itself and keeps the newest", async () => {
  await using dir = await TempDir.make();
  const made: number[] = [];
  const onCheckpoint = (image: { number: number }) => void made.push(image.number);
  await using counter = await count(dir, { name: "sim", every: "10ms", keep: 2, onCheckpoint });
  await eventually("five images", () => made.length >= 5);
  await counter.job.kill();
  const images = (await namesIn(dir.join("ckpt/sim"))).filter((name) => name.endsWith(".ckpt"));
  assert(images.length <= 3, `there are ${images}`); // one more when the kill came before the removal
  const latest = await Deno.readLink(dir.join("ckpt/sim/latest"));
  assertEquals(latest, images.at(-1));
});

Deno.test("launch({ keep }) counts images of checkpoint(), too", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim", keep: 2 });
  for (let i = 0; i < 3; i++) await counter.job.checkpoint();
  const names = (await namesIn(dir.join("ckpt/sim"))).filter((name) => name.endsWith(".ckpt"));
  assertEquals(names, ["000002.ckpt", "000003.ckpt"]);
});

Deno.test("launch({ every }) takes more than a timer does", async () => {
  await using dir = await TempDir.make();
  const made: unknown[] = [];
  const onCheckpoint = (image: unknown) => void made.push(image);
  await using counter = await count(dir, { name: "sim", every: "30d", onCheckpoint });
  await reaches(counter, 10);
  assertEquals(made, []);
});

Deno.test("launch() keeps the LD_PRELOAD that was there", async () => {
  await using dir = await TempDir.make();
  await Deno.writeTextFile(dir.join("other.c"), "int answer(void) { return 42; }\n");
  const other = dir.join("other.so");
  const made = await run(["gcc", "-shared", "-fPIC", "-o", other, dir.join("other.c")]);
  assertEquals(made.code, 0);
  await using job = await launch(["cat", "/proc/self/maps"], {
    dir: dir.join("ckpt"),
    env: { LD_PRELOAD: other },
    stdout: "piped",
  });
  const maps = await new Response(job.stdout).text();
  assert(maps.includes(other) && maps.includes(built("libckpt.so")));
  await job.status;
});
