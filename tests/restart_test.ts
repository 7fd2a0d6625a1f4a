import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname } from "@std/path";
import { attach, restart, RestartError } from "../mod.ts";
import { readRunning } from "../src/job_directory.ts";
import { assertConsecutive, count, numbersOf, outputOf, reaches } from "./counter.ts";
import { eventually, TempDir } from "./support.ts";

Deno.test("restart() goes on where the image was made, and says how the program ended", async () => {
  await using dir = await TempDir.make();
  const until = dir.join("end");
  await using counter = await count(dir, { name: "sim", until });
  await reaches(counter, 10);
  const image = await counter.job.checkpoint({ kill: true });
  await using again = outputOf(await restart(image, { stdout: "piped" }));
  assertEquals(again.job.name, "sim");
  await eventually("it counts on", () => numbersOf(again).length > 10);
  await Deno.writeTextFile(until, "");
  assertEquals(await again.job.status, { success: true, code: 0, signal: null });
  await Promise.all([counter.output.done, again.output.done]);
  assertConsecutive([...numbersOf(counter), ...numbersOf(again)]);
  assert(again.output.text.endsWith("\ndone\n"));
});

Deno.test("checkpoint() of a restarted program gives the next number, to any depth", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  await reaches(counter, 3);
  let image = await counter.job.checkpoint({ kill: true });
  for (let depth = 2; depth <= 4; depth++) {
    await using again = outputOf(await restart(image, { stdout: "piped" }));
    await eventually("a number", () => numbersOf(again).length > 1);
    image = await again.job.checkpoint({ kill: true });
    assertEquals([image.number, image.job], [depth, "sim"]);
    assertEquals((await again.job.status).signal, "SIGKILL");
  }
});

Deno.test("restart() by a job's directory, and attach() to what it started", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  await reaches(counter, 3);
  const image = await counter.job.checkpoint({ kill: true });
  await using again = outputOf(await restart(dirname(image.path), { stdout: "piped" }));
  assertEquals((await readRunning(again.job.dir))?.pid, again.job.pid);
  await using same = await attach(again.job.pid);
  assertEquals((await same.checkpoint()).number, 2);
  await again.job.kill("SIGTERM");
  assertEquals(await again.job.status, { success: false, code: 143, signal: "SIGTERM" });
  assertEquals(await readRunning(again.job.dir), undefined);
});

Deno.test("restart() by a job's directory takes the newest image whose memory is whole", async () => {
  await using dir = await TempDir.make();
  const until = dir.join("end");
  await using counter = await count(dir, { name: "sim", until });
  await reaches(counter, 3);
  const whole = await counter.job.checkpoint();
  const damaged = await counter.job.checkpoint({ kill: true });
  const core = damaged.processes[0]!.path;
  const bytes = await Deno.readFile(core);
  bytes[5000]! ^= 1;
  await Deno.writeFile(core, bytes);
  await assertRejects(() => restart(damaged), RestartError, "the image is damaged");
  const quiet = { stdout: "piped", quiet: true } as const;
  await using again = outputOf(await restart(dirname(whole.path), quiet));
  await Deno.writeTextFile(until, "");
  assertEquals((await again.job.status).code, 0);
  await again.output.done;
  assert(again.output.text.endsWith("done\n"));
});

Deno.test("restart({ name }) lets two programs come out of one image", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  await reaches(counter, 3);
  const image = await counter.job.checkpoint({ kill: true });
  const quiet = { stdout: "piped", quiet: true } as const;
  await using a = outputOf(await restart(image, { name: "a", ...quiet }));
  await using b = outputOf(await restart(image, { name: "b", ...quiet }));
  const images = await Promise.all([a.job.checkpoint(), b.job.checkpoint()]);
  assertEquals(images.map((image) => image.job), ["a", "b"]);
  assertEquals(images.map((image) => dirname(image.path)), [
    dir.join("ckpt/a"),
    dir.join("ckpt/b"),
  ]);
});

Deno.test("restart() of what is no image throws a RestartError that names it", async () => {
  await using dir = await TempDir.make();
  for (const path of [dir.join("nowhere"), dir.path]) {
    const error = await assertRejects(() => restart(path), RestartError, path);
    assertEquals(error.path, path);
    assert(!error.message.includes("\n"), error.message);
  }
});
