import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { attach, Image, jobs, restart } from "../mod.ts";
import { count, reaches } from "./counter.ts";
import { isGone, stateOf } from "./process.ts";
import { built, eventually, run, type RunResult, TempDir } from "./support.ts";
import { asUser, everyone, Target } from "./target.ts";
import { saveAndKill, Terminal, terminalObstacle, underCkpt } from "./terminal.ts";

function ckpt(args: string[], dir: TempDir): Promise<RunResult> {
  return run([built("ckpt"), ...args], { cwd: dir.path, env: { NO_COLOR: "1" } });
}

/** Whoever reads the output of a command would wait for the program, if that wrote there, too. */
const detached = ["restart", "--detach", "--fd=1=out", "--fd=2=out"];

/** The session of a process, and its terminal's number, 0 for none. */
async function placeOf(
  pid: number,
): Promise<{ parent: number; session: number; terminal: number }> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  return { parent: fields[1]!, session: fields[3]!, terminal: fields[4]! };
}

for (const who of everyone) {
  Deno.test(`restart --detach returns once the program runs, which goes on and ends alone (${who})`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("count"), "100000", "2"], {
      dir: dir.join("ckpt"),
      as: who,
    });
    await target.waitFor("\n5\n");
    await target.checkpoint();
    await target.kill();
    const before = Math.max(...target.stdout.text.split("\n").map(Number));

    const log = dir.join("log");
    await Deno.writeTextFile(log, "");
    await Deno.chmod(log, 0o666);
    const command = [...asUser(who), built("restart"), "--detach", target.job];
    const script = 'exec "$@" >>"$0" 2>&1';
    const { code, stderr } = await run(["sh", "-c", script, log, ...command]);
    assertEquals([code, stderr], [0, ""]);
    const running = (await Deno.readTextFile(`${target.job}/running`)).split(" ");
    const pid = Number(running[0]);
    // Where the program writes, too, it may have done so first.
    assert((await Deno.readTextFile(log)).split("\n").includes(String(pid)));
    const place = await placeOf(pid);
    assertEquals([place.session === (await placeOf(Deno.pid)).session, place.terminal], [false, 0]);
    // What was a file for restart is one for the program.
    await eventually("it counts on", async () => {
      const lines = (await Deno.readTextFile(log)).split("\n").map(Number);
      return lines.some((line) => line !== pid && line > before + 5);
    });
    assertEquals(Number(running[3]), place.parent);
    Deno.kill(pid, "SIGTERM");
    await eventually("restart has ended", () => isGone(place.parent));
    const ended = (await Deno.readTextFile(`${target.job}/ended`)).trimEnd().split(" ");
    assertEquals(ended, [...running.slice(0, 3), String(128 + 15)]);
    const names = [...Deno.readDirSync(target.job)].map(({ name }) => name).sort();
    assertEquals(names, ["000001.ckpt", "ended", "latest"]);
  });
}

Deno.test("restart --detach fails as restart does, and leaves nothing", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/file_reader"), dir.join("input")], {
    dir: dir.join("ckpt"),
    env: await Deno.writeTextFile(dir.join("input"), "0123456789").then(() => ({})),
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  await Deno.remove(dir.join("input"));
  const { code, stdout, stderr } = await run([built("restart"), "--detach", image]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^restart: .*input, which the program had open: No such file.*\n$/);
  const names = [...Deno.readDirSync(target.job)].map(({ name }) => name).sort();
  assertEquals(names, ["000001.ckpt", "latest"]);
});

Deno.test("ckpt restart --detach, ls, save, wait and kill know a program that runs alone", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim", to: 100_000 });
  await reaches(counter, 5);
  await counter.job.checkpoint();
  await counter.job.checkpoint({ kill: true });
  await counter.output.done;

  const started = await ckpt([...detached, "sim@1"], dir);
  assertEquals([started.code, started.stderr], [0, ""]);
  const pid = Number(started.stdout.match(/^sim {2}running (\d+)$/m)![1]);
  assertMatch((await ckpt(["ls"], dir)).stdout, new RegExp(`^sim +running ${pid} +1 `, "m"));
  assertMatch((await ckpt(["save", "sim"], dir)).stdout, /^ckpt\/sim\/000003\.ckpt /);

  const waiting = ckpt(["wait", "sim"], dir);
  assertEquals((await ckpt(["kill", "--signal", "term", "sim"], dir)).code, 0);
  assertEquals((await waiting).code, 128 + 15);
  assertEquals((await ckpt(["wait", "sim"], dir)).code, 128 + 15);
  const [job] = JSON.parse((await ckpt(["ls", "--json"], dir)).stdout);
  assertEquals([job.state, job.pid, job.processes, job.status], ["ended", null, 0, 143]);
  assertMatch((await ckpt(["ls"], dir)).stdout, /^sim +ended with 143 +1 /m);

  const again = await ckpt([...detached, "sim"], dir);
  assertEquals(again.code, 0);
  assertMatch((await ckpt(["ls"], dir)).stdout, /^sim +running \d+ +1 /m);
  assertEquals((await ckpt(["kill", "sim"], dir)).code, 0);
  assertEquals((await ckpt(["wait", "sim"], dir)).code, 128 + 9);

  for (const command of ["kill", "wait"]) {
    const { code, stderr } = await ckpt([command, "other"], dir);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^error: Cannot (kill|wait for) other: there is no job of that name in ckpt/,
    );
  }
  const late = await ckpt(["kill", "sim"], dir);
  assertMatch(late.stderr, /^error: Cannot kill sim: it does not run/);
  const wrong = await ckpt(["show", "sim@9"], dir);
  assertEquals(wrong.stderr, "error: Cannot find image 9 of ckpt/sim: it has 1, 2, 3\n");
});

Deno.test("restart() with detach gives a job that can be saved, is let go, and knows its status", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim", to: 100_000 });
  await reaches(counter, 5);
  const image = await counter.job.checkpoint({ kill: true });
  await counter.output.done;
  let pid: number;
  {
    await using job = await restart(image, { detach: true, stdout: "null" });
    pid = job.pid;
    assertEquals((await job.checkpoint()).number, 2);
  }
  await using same = await attach(pid);
  assertEquals((await same.checkpoint()).number, 3);
  assertEquals((await jobs(dir.join("ckpt"))).map((job) => job.pid), [pid]);
  await same.kill();
  await eventually("it is gone", () => isGone(pid));

  await using quick = await restart(image, { detach: true, stdout: "null", name: "quick" });
  await quick.kill("SIGINT");
  assertEquals(await quick.status, { success: false, code: 130, signal: "SIGINT" });
  for (const wrong of [{ stdout: "piped" as const }, { every: "1s" }]) {
    await assertRejects(() => restart(image, { detach: true, ...wrong }), TypeError);
  }
  assertEquals((await Image.open(image.path)).number, 1);
});

Deno.test("restart --detach goes on looking after a program that stops and is continued", async () => {
  await using dir = await TempDir.make();
  const command = `env LD_PRELOAD=${built("libckpt.so")} CKPT_NAME=job ${built("count")} 100000 5`;
  const script = `set -m; ${command} >/dev/null 2>&1 & echo $! >pid; wait`; // it leads a process group
  const shell = run(["bash", "-c", script], { cwd: dir.path });
  const first = await eventually("its id", async () => {
    return Number(await Deno.readTextFile(dir.join("pid")).catch(() => "")) || undefined;
  });
  const name = () => Deno.readTextFileSync(`/proc/${first}/comm`);
  await eventually("it has come to its exec", () => name() === "count\n");
  assertEquals((await ckpt(["save", "--kill", String(first)], dir)).code, 0);
  await shell;
  const started = await ckpt([...detached, "job"], dir);
  const pid = Number(started.stdout.match(/running (\d+)$/m)![1]);
  const { parent } = await placeOf(pid);
  Deno.kill(pid, "SIGTSTP");
  await eventually("it is stopped", () => stateOf(pid) === "T");
  Deno.kill(pid, "SIGCONT");
  await eventually("it goes on", () => stateOf(pid) !== "T");
  assert(stateOf(parent) !== "T");
  Deno.kill(pid, "SIGTERM");
  assertEquals((await ckpt(["wait", "job"], dir)).code, 128 + 15);
});

Deno.test({
  name: "restart --detach keeps a terminal's program alive and writes its output beside the image",
  ignore: terminalObstacle !== false,
  fn: async () => {
    await using dir = await TempDir.make();
    await using first = new Terminal(underCkpt(`${built("count")} 100000 20`), { cwd: dir.path });
    await first.shows("\n5\r\n");
    await saveAndKill(first, "count");
    await first.status;

    {
      // In the first terminal input and output were one open file.
      await using other = new Terminal(`${built("restart")} ckpt/job >log`, { cwd: dir.path });
      const log = () => Deno.readTextFile(dir.join("log")).catch(() => "");
      await eventually("a number in the log", async () => /^\d+\n/.test(await log()));
      Deno.kill(await other.process("count"), "SIGKILL");
      assertEquals(await other.end(), "");
    }
    let pid: number;
    {
      await using second = new Terminal(`${built("restart")} --detach ckpt/job`, { cwd: dir.path });
      await second.status;
      await second.output.done;
      pid = Number(second.output.text.match(/^(\d+)\r$/m)![1]);
      assertEquals(second.output.text, `${pid}\r\n`);
    }
    const output = dir.join("ckpt/job/output");
    const size = (await Deno.stat(output)).size;
    await eventually("it counts on", async () => (await Deno.stat(output)).size > size + 20);
    assertEquals((await Deno.stat(output)).mode! & 0o777, 0o600);
    assertEquals(await Deno.readLink(`/proc/${pid}/fd/0`), "/dev/null");
    const { parent } = await placeOf(pid);
    Deno.kill(pid, "SIGKILL");
    await eventually("restart has ended", () => isGone(parent));
  },
});

for (const who of everyone) {
  Deno.test(`restart --fd moves the output of a whole pipeline, and no pipe in it (${who})`, async () => {
    await using dir = await TempDir.make();
    const script = "(while read word; do echo one $word; echo aside >&2; done) | " +
      "(while read word; do echo two $word; done); echo last";
    await using target = Target.launch(["sh", "-c", `echo ready; ${script}`], {
      dir: dir.join("ckpt"),
      as: who,
    });
    await target.waitFor("ready\n");
    await target.send("first\n");
    await target.waitFor("two one first\n");
    const image = await target.checkpoint();
    await target.kill();
    const out = dir.join("out");
    await Deno.writeTextFile(out, "");
    await Deno.chmod(out, 0o666);
    await Deno.writeTextFile(dir.join("in"), "second\nthird\n");
    await using again = Target.restart(image, {
      options: [`--fd=1=${out}`, `--fd=0=${dir.join("in")}`],
      as: who,
    });
    assertEquals((await again.end()).code, 0);
    assertEquals([again.stdout.text, again.stderr.text], ["", "aside\naside\n"]);
    assertEquals(await Deno.readTextFile(out), "two one second\ntwo one third\nlast\n");
  });
}

Deno.test("restart --fd moves a file that a shell and its commands write, with one position", async () => {
  await using dir = await TempDir.make();
  const script =
    "exec >before; echo 0; (read word; echo 1; exec sh -c 'read word; echo 2' ); echo 3";
  await using target = Target.launch(["sh", "-c", script], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await eventually(
    "it writes",
    () => Deno.readTextFile(dir.join("before")).then((t) => t === "0\n", () => false),
  );
  await target.waitUntilAsleep();
  const image = await target.checkpoint();
  await target.kill(); // the commands first: the shell may have written its last word
  const left = await Deno.readTextFile(dir.join("before"));
  await using again = Target.restart(image, { options: [`--fd=1=${dir.join("after")}`] });
  await again.send("a\nb\n");
  assertEquals((await again.end()).code, 0);
  assertEquals(await Deno.readTextFile(dir.join("before")), left);
  assertEquals(await Deno.readTextFile(dir.join("after")), "1\n2\n3\n");
});
