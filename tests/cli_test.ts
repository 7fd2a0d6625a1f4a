import { assert, assertEquals, assertMatch } from "@std/assert";
import { assertConsecutive, count, namesIn, reaches } from "./counter.ts";
import { help } from "../src/cli/help.ts";
import {
  built,
  eventually,
  isRoot,
  Output,
  run,
  type RunResult,
  TempDir,
  testUnless,
} from "./support.ts";

function ckpt(args: string[], dir: TempDir): Promise<RunResult> {
  return run([built("ckpt"), ...args], { cwd: dir.path, env: { NO_COLOR: "1" } });
}

Deno.test("ckpt without a command, or with a wrong one, says how to use it and exits 2", async () => {
  await using dir = await TempDir.make();
  const cases: [string[], string][] = [
    [[], "error: Name a command\nSee: ckpt help\n"],
    [["frob"], "error: There is no command frob\nSee: ckpt help\n"],
    [["save"], "error: Name a process or a job\nusage: ckpt save"],
    [["ls", "--json=no"], "error: --json takes no value\nusage: ckpt ls"],
    [["ls", "--color"], "error: There is no option --color\nusage: ckpt ls"],
    [["verify", "a", "b"], "error: There is too much: b\nusage: ckpt verify"],
    [["run"], "error: Name the program to run\nusage: ckpt run"],
    [["run", "--keep", "no", "true"], "error: --keep takes a whole number from 1, not no\n"],
    [["run", "--keep", "2", "true"], "error: --keep takes --every, too\nusage: ckpt run"],
    [["run", "--every", "5", "true"], "error: --every: Not a duration: 5"],
    [["run", "--name", "a/b", "true"], 'error: --name: Not a name for a job: "a/b"'],
    [["restart", "--name", ".b"], 'error: --name: Not a name for a job: ".b"'],
    [["restart", "--pid=old"], "error: --pid is one of auto, same, namespace, new, not old\n"],
    [["restart", "--map", "a=b"], "error: --map takes OLD=NEW, OLD absolute, not a=b\nusage:"],
    [["restart", "--map=/a="], "error: --map takes OLD=NEW, OLD absolute, not /a=\nusage:"],
    [["restart", "--fd=out=log"], "error: --fd takes N=PATH or N=inherit, not out=log\nusage:"],
    [["restart", "--fd", ""], "error: --fd takes a value\nusage: ckpt restart"],
    [["help", "frob"], "error: There is no command frob\n"],
  ];
  for (const [args, words] of cases) {
    const result = await ckpt(args, dir);
    assertEquals([args, result.code, result.stdout], [args, 2, ""]);
    assert(result.stderr.startsWith(words), `${args}: ${result.stderr}`);
  }
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("ckpt COMMAND --help explains the command wherever it stands, but for a program's own", async () => {
  await using dir = await TempDir.make();
  for (
    const args of [["save", "sim", "--help"], ["restart", "-h", "sim"], ["show", "--json", "-h"]]
  ) {
    const { code, stdout } = await ckpt(args, dir);
    assertEquals([code, stdout], [0, `${help(args[0])}\n`]);
  }
  assertMatch((await ckpt(["run", "echo", "--help"], dir)).stdout, /^Usage: .*echo /);
});

testUnless(
  !isRoot && "only root can mount a small file system",
  "ckpt run on a full disk says so before the program begins",
  async () => {
    await using dir = await TempDir.make();
    await Deno.mkdir(dir.join("disk"));
    const mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", dir.join("disk")];
    assertEquals((await run(mount)).code, 0);
    try {
      await Deno.writeFile(dir.join("disk/all"), new Uint8Array(64 << 10));
      for (const detach of [[], ["--detach"]]) {
        const { code, stdout, stderr } = await ckpt(
          ["run", ...detach, "--dir", dir.join("disk"), "echo", "it began"],
          dir,
        );
        assertEquals([code, stdout], [1, ""]);
        assertMatch(stderr, /^error: Cannot keep images in .*\/disk: No space left on device/);
      }
      assertEquals(await namesIn(dir.join("disk")), ["all"]);
    } finally {
      assertEquals((await run(["umount", dir.join("disk")])).code, 0);
    }
  },
);

Deno.test("ckpt says in one line what is not there, exits 1 and leaves nothing", async () => {
  await using dir = await TempDir.make();
  const ended = new Deno.Command("true").spawn();
  await ended.status;
  const cases: [string[], string][] = [
    [
      ["save", String(ended.pid)],
      `Cannot checkpoint process ${ended.pid}: there is no such process`,
    ],
    [["save", "sim"], "Cannot save sim: there is no process and no job of that name in ckpt"],
    [["save", String(Deno.pid)], `Cannot checkpoint process ${Deno.pid}: it runs without libckpt`],
    [["restart"], "Cannot restart anything: there is no image in ckpt"],
    [
      ["restart", "sim"],
      "Cannot find sim: there is no such image, and no job of that name in ckpt",
    ],
    [["show", "sim"], "Cannot find sim"],
    [["show", "/dev/null"], "Cannot read image /dev/null: it is not a file"],
    [["ls", "--dir", "/dev/null"], "Cannot read directory /dev/null: there is a file in place"],
    [["verify", "sim"], "Cannot find sim"],
    [["run", "--", "nosuchprogram"], "Cannot run nosuchprogram: there is no such program on PATH"],
  ];
  for (const [args, words] of cases) {
    const result = await ckpt(args, dir);
    assertEquals([args, result.code, result.stdout], [args, 1, ""]);
    assert(result.stderr.startsWith(`error: ${words}`), `${args}: ${result.stderr}`);
    assertEquals(result.stderr.split("\n").length, 2);
  }
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("ckpt takes a name for that of a job, also where the program has the same", async () => {
  await using dir = await TempDir.make();
  await Deno.symlink(built("count"), dir.join("sim"));
  await using counter = await count(dir, { name: "sim" });
  await reaches(counter, 3);
  await counter.job.checkpoint();
  await counter.job.checkpoint({ kill: true });
  await counter.output.done;
  assertMatch((await ckpt(["verify", "sim"], dir)).stdout, /^ckpt\/sim\/000001\.ckpt is whole/);
  assertMatch((await ckpt(["show", "sim@1"], dir)).stdout, /^image +ckpt\/sim\/000001\.ckpt$/m);
  const other = await ckpt(["show", "./sim"], dir);
  assertMatch(other.stderr, /^error: Cannot read image .*\/sim: it is not a core file that ckpt/);
  const dots = await run([built("ckpt"), "show", "."], { cwd: dir.join("ckpt/sim") });
  assertMatch(dots.stdout, /^job +sim, image 2$/m);
});

Deno.test("ckpt works through a symlink, from any directory, for anyone", async () => {
  await using dir = await TempDir.make();
  await Deno.symlink(built("ckpt"), dir.join("c"));
  const result = await run([dir.join("c"), "--version"], {
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent" },
  });
  assertMatch(result.stdout, /^ckpt \d+\.\d+\.\d+\n$/);
  assertEquals(result.stderr, "");
});

Deno.test("ckpt run gives input, output and exit status through", async () => {
  await using dir = await TempDir.make();
  const child = new Deno.Command(built("ckpt"), {
    args: ["run", "--", "sh", "-c", "cat; echo oops >&2; exit 5"],
    cwd: dir.path,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("well\n"));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  assertEquals([code, decoder.decode(stdout), decoder.decode(stderr)], [5, "well\n", "oops\n"]);
  assertEquals((await ckpt(["run", "sh", "-c", "kill -9 $$"], dir)).code, 128 + 9);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("ckpt run passes SIGTERM, SIGINT and SIGUSR1 on", async () => {
  await using dir = await TempDir.make();
  const script = 'for s in TERM INT USR1; do trap "echo $s" $s; done; echo ready; ' +
    "while :; do sleep 0.02; done";
  const child = new Deno.Command(built("ckpt"), {
    args: ["run", "--", "bash", "-c", script],
    cwd: dir.path,
    stdout: "piped",
  }).spawn();
  const output = new Output(child.stdout);
  await eventually("ready", () => output.text.includes("ready"));
  for (const signal of ["TERM", "INT", "USR1"] as const) {
    child.kill(`SIG${signal}`);
    await eventually(signal, () => output.text.includes(`${signal}\n`));
  }
  child.kill("SIGHUP");
  assertEquals((await child.status).code, 128 + 1);
  await output.done;
});

Deno.test("ckpt run gives a terminal through: its program is asked once for each Ctrl-C", async () => {
  await using dir = await TempDir.make();
  const child = new Deno.Command("script", {
    args: ["-qefc", `exec ${built("ckpt")} run -- ${built("tests/signals_told")}`, "/dev/null"],
    cwd: dir.path,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = new Output(child.stdout);
  const writer = child.stdin.getWriter();
  await eventually("READY", () => output.text.includes("READY"));
  for (const times of [1, 2, 3]) {
    await writer.write(new Uint8Array([3]));
    await eventually("SIGINT", () => output.text.split("got SIGINT").length > times);
  }
  await writer.write(new Uint8Array([28])); // as Ctrl-Backslash does
  assertEquals((await child.status).code, 128 + 3);
  await writer.close().catch(() => {});
  await output.done;
  assertEquals(output.text.split("got SIGINT").length, 4);
});

Deno.test("ckpt save, ls, show and verify tell of a running job", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  const { pid } = counter.job;

  const early = await ckpt(["ls"], dir);
  assertMatch(early.stdout, new RegExp(`^JOB .*\nsim +running ${pid} +-\n$`));

  const saved = await ckpt(["save", "sim"], dir);
  assertMatch(
    saved.stdout,
    /^ckpt\/sim\/000001\.ckpt {2}[\d.]+ kiB {2}[\d.]+ ms, paused [\d.]+ ms\n$/,
  );
  const again = JSON.parse((await ckpt(["save", "--json", String(pid)], dir)).stdout);
  assertEquals(again.number, 2);

  const listed = JSON.parse((await ckpt(["ls", "--json"], dir)).stdout);
  assertEquals(listed.map((job: { name: string; pid: number }) => [job.name, job.pid]), [
    ["sim", pid],
  ]);
  assertEquals(listed[0].images[1].path, again.path);

  const shown = await ckpt(["show", "sim"], dir);
  assertMatch(shown.stdout, /^image +ckpt\/sim\/000002\.ckpt\n/);
  assertMatch(shown.stdout, /\[?stack/);
  assertMatch(shown.stdout, /\/libc\.so\.6 +mapped\n/);
  const details = JSON.parse((await ckpt(["show", "sim", "--json"], dir)).stdout);
  assertEquals(details.processes[0].pid, pid);

  const checked = await ckpt(["verify", "ckpt/sim/000001.ckpt"], dir);
  assertMatch(checked.stdout, /000001\.ckpt is whole/);

  assertEquals((await ckpt(["save", "--kill", "sim"], dir)).code, 0);
  assertEquals((await counter.job.status).signal, "SIGKILL");
  assertMatch((await ckpt(["ls"], dir)).stdout, /sim +ended +3 /);
  const late = await ckpt(["save", "sim"], dir);
  assertEquals(
    late.stderr,
    "error: Cannot save sim: it does not run (ckpt restart sim brings it back)\n",
  );
});

Deno.test("ckpt verify and ls tell of a damaged image", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  await counter.job.checkpoint();
  const image = await counter.job.checkpoint();
  const core = image.processes[0]!.path;
  const bytes = await Deno.readFile(core);
  bytes[5000]! ^= 1;
  await Deno.writeFile(core, bytes);
  const verified = await ckpt(["verify", "sim"], dir);
  assertEquals(verified.code, 1);
  assertMatch(verified.stderr, /^ckpt: Image .* is damaged: .*memory is damaged at byte 4096\n$/);
  assertMatch(verified.stdout, /^ckpt\/sim\/000001\.ckpt is whole: .*\n$/);
  await Deno.truncate(core, 100);
  const cut = await ckpt(["verify", "sim"], dir);
  assertEquals([cut.code, cut.stdout], [1, verified.stdout]);
  assertMatch(cut.stderr, /^ckpt: Cannot read image .*000002.*: it is cut off/);
  assertMatch((await ckpt(["ls"], dir)).stderr, /Cannot read image .*: it is cut off/);
});

Deno.test("ckpt save knows a job that was started by LD_PRELOAD alone, once it has an image", async () => {
  await using dir = await TempDir.make();
  const child = new Deno.Command(built("count"), {
    args: ["100000", "5"],
    cwd: dir.path,
    env: { LD_PRELOAD: built("libckpt.so"), CKPT_NAME: "bare" },
    stdout: "piped",
  }).spawn();
  const output = new Output(child.stdout);
  await eventually("numbers", () => output.text.includes("2\n"));
  assertEquals((await ckpt(["save", String(child.pid)], dir)).code, 0);
  assertMatch((await ckpt(["ls"], dir)).stdout, new RegExp(`bare +running ${child.pid} +1 `));
  assertEquals((await ckpt(["save", "bare"], dir)).code, 0);
  child.kill("SIGKILL");
  await child.status;
  await output.done;
  assertMatch((await ckpt(["ls"], dir)).stdout, /bare +ended +1 .*\nbare +ended +2 /);
});

Deno.test("ckpt doctor looks at everything that a restart needs", async () => {
  await using dir = await TempDir.make();
  const result = await ckpt(["doctor"], dir);
  for (
    const name of [
      "kernel",
      "native part",
      "userfaultfd",
      "choice of ids",
      "TCP repair",
      "ptrace",
      "compiler",
    ]
  ) {
    assert(result.stdout.includes(name), name);
  }
  const checks = JSON.parse((await ckpt(["doctor", "--json"], dir)).stdout);
  const unexplained = checks.filter((c: { state: string; cost: string }) =>
    c.state !== "ok" && !c.cost
  );
  assertEquals(unexplained, []);
  assertEquals(result.code, checks.some((c: { state: string }) => c.state === "missing") ? 1 : 0);
});

Deno.test("ckpt restart goes on where the newest image was made", async () => {
  await using dir = await TempDir.make();
  const until = dir.join("end");
  await using counter = await count(dir, { name: "sim", until });
  await reaches(counter, 5);
  await counter.job.checkpoint();
  const image = await counter.job.checkpoint({ kill: true });
  await counter.output.done;
  const child = new Deno.Command(built("ckpt"), {
    args: ["restart"],
    cwd: dir.path,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [output, errors] = [new Output(child.stdout), new Output(child.stderr)];
  const numbers = ({ text }: Output) =>
    text.split("\n").filter((line) => /^\d+$/.test(line)).map(Number);
  await eventually("it counts on", () => numbers(output).length > 5);
  await Deno.writeTextFile(until, "");
  assertEquals((await child.status).code, 0);
  await Promise.all([output.done, errors.done]);
  assertEquals(errors.text, "");
  assertConsecutive([...numbers(counter.output), ...numbers(output)]);
  assert(output.text.endsWith("\ndone\n"));
  const again = await ckpt(["restart", image.path, "--quiet"], dir);
  assertEquals([again.code, again.stderr], [0, ""]);
  assert(again.stdout.endsWith("done\n"));
});
