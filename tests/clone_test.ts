import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { clone, type Copies, launch, restart, RestartError } from "../mod.ts";
import { assertConsecutive, count, reaches } from "./counter.ts";
import { descendants, isGone } from "./process.ts";
import { built, eventually, Output, TempDir, testUnless } from "./support.ts";
import { saveAndKill, Terminal, terminalObstacle, underCkpt } from "./terminal.ts";

/** What `restart` has started here and is still there. */
function left(): number[] {
  return descendants(Deno.pid).filter((pid) => !isGone(pid));
}

function numbers(text: string): number[] {
  return text.split("\n").filter((line) => /^\d+$/.test(line)).map(Number);
}

Deno.test("clone() gives three jobs, each with its output, images and status", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim", to: 100_000 });
  await reaches(counter, 5);
  const image = await counter.job.checkpoint({ kill: true });
  await counter.output.done;

  await using copies = await clone(image, 3, { stdout: "piped" });
  assertEquals(copies.map(({ name }) => name), ["sim-1", "sim-2", "sim-3"]);
  assertEquals(new Set(copies.map(({ pid }) => pid)).size, 3);
  const outputs = copies.map((copy) => new Output(copy.stdout));
  for (const { text } of outputs) assertEquals(text.slice(0, 3), outputs[0]!.text.slice(0, 3));
  await eventually("all count", () => outputs.every(({ text }) => numbers(text).length > 5));
  const saved = await copies[1]!.checkpoint({ kill: true });
  assertEquals([saved.job, saved.number], ["sim-2", 1]);
  assertEquals((await copies[1]!.status).signal, "SIGKILL");
  const [before] = numbers(outputs[0]!.text).slice(-1);
  await eventually("the others go on", () => numbers(outputs[0]!.text).at(-1)! > before!);
  await copies[0]!.kill("SIGTERM");
  assertEquals(await copies[0]!.status, { success: false, code: 143, signal: "SIGTERM" });
  await copies[2]!.kill();
  await Promise.all(outputs.map(({ done }) => done));
  const all = outputs.map(({ text }) => numbers(text));
  for (const each of all) {
    assertConsecutive(each);
    assertEquals(each[0], all[0]![0]);
  }

  await using again = await restart(saved, { stdout: "piped" });
  const output = new Output(again.stdout);
  await eventually("it counts on", () => numbers(output.text).length > 2);
  assertEquals(numbers(output.text)[0], all[1]!.at(-1)! + 1);
  await again.kill();
  await output.done;
});

Deno.test("clone() takes options for each copy by its number, and lets each write a file of its own", async () => {
  await using dir = await TempDir.make();
  const [file, until] = [dir.join("numbers"), dir.join("end")];
  const command = `exec ${built("tests/count_until")} ${until} >${file}`;
  await using job = await launch(["sh", "-c", command], {
    name: "sim",
    dir: dir.join("ckpt"),
  });
  await eventually("it counts", async () => {
    return numbers(await Deno.readTextFile(file).catch(() => "")).length > 5;
  });
  const image = await job.checkpoint({ kill: true });
  const saved = await Deno.readTextFile(file);
  const first = numbers(saved).at(-1)! + 1;

  const refused = await assertRejects(() => clone(image, 2), RestartError);
  assertStringIncludes(refused.message, `each copy would write to ${file}`);

  await using copies = await clone(image, 2, (number) => ({
    name: number === 1 ? "left" : "right",
    fds: { 1: dir.join(`out-${number}`) },
  }));
  assertEquals(copies.map(({ name }) => name), ["left", "right"]);
  const outputs = [1, 2].map((number) => dir.join(`out-${number}`));
  await eventually(
    "both count on",
    () => outputs.every((path) => numbers(Deno.readTextFileSync(path)).length > 5),
  );
  await Deno.writeTextFile(until, "");
  for (const copy of copies) assertEquals((await copy.status).code, 0);
  for (const path of outputs) {
    const counted = numbers(await Deno.readTextFile(path));
    assertEquals(counted[0], first);
    assertConsecutive(counted);
  }
  assertEquals(await Deno.readTextFile(file), saved);
});

Deno.test("clone() brings copies of a whole tree back, and of a job the newest image that is whole", async () => {
  await using dir = await TempDir.make();
  const script =
    "while read word; do echo one $word; done | while read word; do echo two $word; done; exit 3";
  await using job = await launch(["sh", "-c", `echo ready; ${script}`], {
    name: "tree",
    dir: dir.join("ckpt"),
    stdin: "piped",
    stdout: "piped",
  });
  const output = new Output(job.stdout);
  await eventually("ready", () => output.text === "ready\n");
  await job.checkpoint();
  const damaged = await job.checkpoint({ kill: true });
  assert(damaged.processes.length > 1);
  const core = damaged.processes[0]!.path;
  const bytes = await Deno.readFile(core);
  bytes[4096 + 17]! ^= 1;
  await Deno.writeFile(core, bytes);

  await using copies = await clone(dir.join("ckpt/tree"), 3, {
    name: "copy",
    stdin: "piped",
    stdout: "piped",
    quiet: true,
  });
  for (const [i, copy] of copies.entries()) {
    const writer = copy.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`for ${i}\n`));
    await writer.close();
    assertEquals(await new Response(copy.stdout).text(), `two one for ${i}\n`);
    assertEquals((await copy.status).code, 3);
  }
  await output.done;
});

Deno.test("clone() leaves nothing when one copy cannot be restarted", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim", to: 100_000 });
  await reaches(counter, 5);
  const image = await counter.job.checkpoint({ kill: true });
  await counter.output.done;
  const before = left();
  for (const bad of [1, 3]) {
    const error = await assertRejects(
      () =>
        clone(image, 3, (number) => ({
          stdout: "piped",
          ...(number === bad ? { cwd: dir.join("missing") } : {}),
        })),
      RestartError,
    );
    assertStringIncludes(error.message, "its working directory");
    assertEquals(left(), before);
  }
  assertEquals([...Deno.readDirSync(dir.join("ckpt"))].map(({ name }) => name), ["sim"]);
  await using copies: Copies = await clone(image, 2, { stdout: "piped" });
  assertEquals(copies.length, 2);
});

Deno.test("clone() makes a file that is gone again once, for all copies, and takes it back when none runs", async () => {
  await using dir = await TempDir.make();
  const input = dir.join("input");
  await Deno.writeTextFile(input, "one\ntwo\nthree\n");
  await using job = await launch(
    ["sh", "-c", `exec 3<${input}; echo ready; read go; while read word <&3; do echo $word; done`],
    { name: "reader", dir: dir.join("ckpt"), withFiles: true, stdin: "piped", stdout: "piped" },
  );
  const output = new Output(job.stdout);
  await eventually("ready", () => output.text === "ready\n");
  const image = await job.checkpoint({ kill: true });
  await Deno.remove(input);
  await assertRejects(
    () => clone(image, 2, (n) => n === 1 ? {} : { cwd: "/missing" }),
    RestartError,
  );
  await assertRejects(() => Deno.stat(input), Deno.errors.NotFound);
  await using copies = await clone(image, 3, { stdin: "null", stdout: "piped", quiet: true });
  for (const copy of copies) {
    assertEquals(await new Response(copy.stdout).text(), "one\ntwo\nthree\n");
  }
  await output.done;
});

Deno.test("clone() with detach gives jobs that go on alone", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim", to: 100_000 });
  await reaches(counter, 5);
  const image = await counter.job.checkpoint({ kill: true });
  await counter.output.done;
  const jobs = await clone(image, 2, { detach: true, stdout: "null" });
  for (const job of jobs) {
    await job.kill("SIGINT");
    assertEquals(await job.status, { success: false, code: 130, signal: "SIGINT" });
  }
});

testUnless(
  terminalObstacle,
  "clone() with pty gives each copy of a shell a terminal of its own",
  async () => {
    await using dir = await TempDir.make();
    await using first = new Terminal(underCkpt("bash --norc"), { cwd: dir.path });
    await first.shows("bash-");
    await saveAndKill(first, "bash");
    await first.status;
    await using copies = await clone(dir.join("ckpt/job"), 2, {
      pty: true,
      stdin: "piped",
      stdout: "piped",
    });
    const terminals = await Promise.all(copies.map(async (copy, i) => {
      const writer = copy.stdin.getWriter();
      await writer.write(new TextEncoder().encode(`echo at-$(tty); exit ${i + 3}\n`));
      const [, terminal] = (await new Response(copy.stdout).text()).match(/at-(\/dev.*)\r/) ?? [];
      await writer.close();
      assertEquals((await copy.status).code, i + 3);
      return terminal;
    }));
    assert(terminals.every((terminal) => terminal?.startsWith("/dev/pts/")));
    assertEquals(new Set(terminals).size, 2);
  },
);

Deno.test("clone() says which arguments make no sense", async () => {
  for (const count of [0, 1.5, 1001]) {
    await assertRejects(() => clone("nothing", count), RangeError);
  }
  await assertRejects(() => clone("nothing", 2, () => ({ name: "one" })), TypeError, "Two copies");
  await assertRejects(() => clone("nothing", 2, { name: "a/b" }), TypeError);
  await assertRejects(() => clone("nothing", 2, { map: { here: "/there" } }), TypeError);
  await assertRejects(() => clone("/nothing/there", 2), RestartError);
});
