import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { attach, jobs, launch } from "../mod.ts";
import { isGone } from "./process.ts";
import { built, eventually, run, type RunResult, TempDir, testUnless } from "./support.ts";
import { asUser, everyone, imagesOf } from "./target.ts";
import { Terminal, terminalObstacle } from "./terminal.ts";

function ckpt(args: string[], dir: TempDir): Promise<RunResult> {
  return run([built("ckpt"), ...args], { cwd: dir.path, env: { NO_COLOR: "1" } });
}

/** `ckpt run --detach`, with the program's output in the file `log` as well. */
function detach(dir: TempDir, ...args: string[]): Promise<RunResult> {
  const script = 'exec "$@" >>log 2>&1';
  return run(["sh", "-c", script, "sh", built("ckpt"), "run", "--detach", ...args], {
    cwd: dir.path,
  });
}

async function logs(dir: TempDir, words: RegExp): Promise<RegExpMatchArray> {
  return await eventually(
    `${words} in the log`,
    async () => (await Deno.readTextFile(dir.join("log"))).match(words) ?? undefined,
  );
}

async function end(pid: number): Promise<void> {
  await eventually("it is gone", () => isGone(pid));
}

Deno.test("ckpt run --detach returns, and ls, save, wait, kill and restart know the program by its name", async () => {
  await using dir = await TempDir.make();
  assertEquals((await detach(dir, "--name", "sim", "--", built("count"), "100000", "5")).code, 0);
  const [, pid] = await logs(dir, /^sim {2}running (\d+)$/m);
  await logs(dir, /^9$/m);
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).replace(/^.*\) /s, "").split(" ");
  assertEquals([fields[3], fields[4]], [pid, "0"]); // a session of its own, no terminal
  assertMatch((await ckpt(["ls"], dir)).stdout, new RegExp(`^sim +running ${pid} +-$`, "m"));
  const again = await detach(dir, "--name", "sim", "sleep", "9");
  assertEquals(again.code, 1);
  await logs(dir, /error: Cannot run "sim": it runs already, as process \d+$/m);

  assertEquals((await ckpt(["save", "sim"], dir)).code, 0);
  const waiting = ckpt(["wait", "sim"], dir);
  assertEquals((await ckpt(["kill", "--signal", "TERM", "sim"], dir)).code, 0);
  assertEquals((await waiting).code, 128 + 15);
  assertEquals((await ckpt(["wait", "sim"], dir)).code, 128 + 15);
  assertMatch((await ckpt(["ls"], dir)).stdout, /^sim +ended with 143 +1 /m);

  const restarted = await ckpt(["restart", "--detach", "--fd=1=again", "--fd=2=again", "sim"], dir);
  assertEquals(restarted.code, 0, restarted.stderr);
  await eventually(
    "it counts on",
    async () => /^\d+\n/.test(await Deno.readTextFile(dir.join("again"))),
  );
  assertEquals((await ckpt(["kill", "sim"], dir)).code, 0);
  assertEquals((await ckpt(["wait", "sim"], dir)).code, 128 + 9);
});

Deno.test("ckpt run --detach leaves the status of a program without images, and says what went wrong", async () => {
  await using dir = await TempDir.make();
  assertEquals((await detach(dir, "--name", "brief", "sh", "-c", "echo done; exit 5")).code, 0);
  assertEquals((await ckpt(["wait", "brief"], dir)).code, 5);
  assertMatch((await ckpt(["ls"], dir)).stdout, /^brief +ended with 5 +-$/m);
  await logs(dir, /^done$/m);
  assertEquals((await detach(dir, "no-such-program")).code, 1);
  await logs(dir, /error: .*no-such-program/);
  assertEquals((await detach(dir, "--every", "1m", "sleep", "9")).code, 2);
  await logs(dir, /--every and --detach do not go together/);
});

for (const as of everyone) {
  Deno.test(`restart --launch starts a program with the limits and signals that it was given (${as})`, async () => {
    await using dir = await TempDir.make();
    const look = "ulimit -Sn; grep ^Sig[BI] /proc/self/status; pwd; echo $CKPT_NAME";
    const start = (words: string[]) =>
      run([...asUser(as), "sh", "-c", 'ulimit -Sn 777; trap "" USR1; exec "$@"', "sh", ...words], {
        cwd: dir.path,
        env: { CKPT_NAME: "job" },
      });
    const { stdout } = await start(["sh", "-c", look]);
    const launch = [built("restart"), `--launch=${dir.path}`, "--name=job", "--", "/bin/sh", "-c"];
    const { code, stderr } = await start([...launch, `(${look}) >out; sleep 0.2`]);
    assertEquals([code, stderr], [0, ""]);
    await eventually(
      "its end",
      () => Deno.stat(dir.join("job/ended")).then(() => true, () => false),
    );
    assertEquals(await Deno.readTextFile(dir.join("out")), stdout);
    const wrong = await start([...launch.slice(0, -2), "/no/such/program"]);
    assertEquals(wrong.code, 1);
    assertEquals(wrong.stderr, "restart: /no/such/program: No such file or directory\n");
  });
}

Deno.test("launch() with detach gives a job that can be saved, is let go, and knows its status", async () => {
  await using dir = await TempDir.make();
  const options = { name: "sim", dir: dir.join("ckpt"), detach: true, stdout: "null" } as const;
  let pid: number;
  {
    await using job = await launch([built("count"), "100000", "5"], options);
    pid = job.pid;
    assertEquals([job.name, job.dir], ["sim", dir.join("ckpt/sim")]);
    assertEquals((await job.checkpoint()).number, 1);
  }
  assertEquals((await jobs(dir.join("ckpt"))).map((job) => job.pid), [pid]);
  await using same = await attach(pid);
  assertEquals((await same.checkpoint()).number, 2);
  await same.kill();
  await end(pid);

  await using quick = await launch(["sleep", "9"], { ...options, name: undefined });
  assertMatch(quick.name, new RegExp(`^sleep-${quick.pid}$`));
  await quick.kill("SIGINT");
  assertEquals(await quick.status, { success: false, code: 130, signal: "SIGINT" });

  const signal = AbortSignal.timeout(1 << 30);
  for (const wrong of [{ stdout: "piped" as const }, { every: "1s" }, { signal }]) {
    await assertRejects(() => launch(["sleep", "9"], { ...options, ...wrong }), TypeError);
  }
  await assertRejects(() => launch(["no-such-program"], options), Deno.errors.NotFound);
  assertEquals(imagesOf(dir.join("ckpt/sim")).length, 2);
});

Deno.test("a detached program's daemons are saved with it, and end with it", async () => {
  await using dir = await TempDir.make();
  await using job = await launch(["sh", "-c", "(sleep 100 &); exec sleep 100"], {
    name: "job",
    dir: dir.join("ckpt"),
    detach: true,
    stdout: "null",
    stderr: "null",
  });
  const image = await eventually("both are saved", async () => {
    const image = await job.checkpoint();
    const programs = image.processes.map(({ program }) => program);
    return programs.length === 2 && programs.every((path) => path.endsWith("sleep")) && image;
  });
  await job.kill();
  for (const { pid } of image.processes) {
    await eventually("it is gone", () => isGone(pid));
  }
});

testUnless(
  terminalObstacle,
  "ckpt run --detach goes on when its terminal is closed, with its output beside the images",
  async () => {
    await using dir = await TempDir.make();
    let pid: number;
    {
      const words = `${built("ckpt")} run --detach --name sim ${built("count")} 100000 5`;
      await using terminal = new Terminal(words, { cwd: dir.path });
      await terminal.status;
      await terminal.output.done;
      pid = Number(terminal.output.text.match(/^sim {2}running (\d+)\r\n$/)![1]);
    }
    const output = dir.join("ckpt/sim/output");
    const size = (await Deno.stat(output)).size;
    await eventually("it counts on", async () => (await Deno.stat(output)).size > size + 20);
    assertEquals((await Deno.stat(output)).mode! & 0o777, 0o600);
    assertEquals(await Deno.readLink(`/proc/${pid}/fd/0`), "/dev/null");
    assert((await ckpt(["kill", "sim"], dir)).code === 0);
    await end(pid);
  },
);
