import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { descendants, isGone } from "./process.ts";
import { built, eventually, run, TempDir } from "./support.ts";
import { everyone, imagesOf, Target } from "./target.ts";

/** Three copies write whole lines to one pipe: how often each number came. */
function timesOf(words: string): Map<number, number> {
  const times = new Map<number, number>();
  for (const line of words.split("\n").filter((line) => /^\d+$/.test(line))) {
    times.set(Number(line), (times.get(Number(line)) ?? 0) + 1);
  }
  return times;
}

for (const who of everyone) {
  Deno.test(`restart --clone lets each of three copies go on without a gap (${who})`, async () => {
    await using dir = await TempDir.make();
    const until = dir.join("end");
    await using target = Target.launch([built("tests/count_until"), until], {
      dir: dir.join("ckpt"),
      as: who,
    });
    await target.waitFor("\n5\n");
    const image = await target.checkpoint();
    await target.kill();
    await using again = Target.restart(image, {
      options: ["--clone=3", "--name=branch", "--clocks=machine"],
      as: who,
    });
    const names = ["branch-1", "branch-2", "branch-3"].map((name) => dir.join("ckpt", name));
    await eventually("each copy has its job", () =>
      names.every((name) => {
        try {
          return Deno.statSync(`${name}/running`).isFile;
        } catch {
          return false;
        }
      }));
    Deno.kill(again.pid, "SIGUSR2");
    await eventually(
      "each copy has its own image",
      () => names.every((name) => imagesOf(name).length === 1),
    );
    await eventually("all count", () => [...timesOf(again.stdout.text).values()].includes(3));
    await Deno.writeTextFile(until, "");
    assertEquals((await again.end()).code, 0);
    const times = timesOf(again.stdout.text);
    const first = Math.min(...times.keys());
    // They come to their ends one after the other.
    const each = Array.from(times, (_, i) => times.get(first + i));
    assertEquals(each, each.toSorted().reverse());
    assertEquals(each[0], 3);
    for (const name of names) {
      assert(![...Deno.readDirSync(name)].some((entry) => entry.name === "running"));
    }
  });

  Deno.test(`restart --clone ends with the status of the first copy that fails (${who})`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch(
      ["sh", "-c", "echo READY; read word; echo got $word; exit ${word:-9}"],
      { dir: dir.join("ckpt"), as: who },
    );
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.kill();
    await Deno.writeTextFile(dir.join("in"), "7\n");
    await using again = Target.restart(image, {
      options: ["--clone=2", `--fd=0=${dir.join("in")}`],
      as: who,
    });
    assertEquals((await again.end()).code, 7);
    assertEquals(again.stdout.text, "got 7\ngot 7\n");
  });

  Deno.test(`restart --clone passes a signal on to all copies (${who})`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("count"), "100000", "10"], {
      dir: dir.join("ckpt"),
      as: who,
    });
    await target.waitFor("\n5\n");
    const image = await target.checkpoint();
    await target.kill();
    await using again = Target.restart(image, { options: ["--clone=2"], as: who });
    await eventually("both run", () => [...timesOf(again.stdout.text).values()].includes(2));
    const all = descendants(again.pid);
    Deno.kill(again.pid, "SIGTERM");
    assertEquals((await again.end()).code, 128 + 15);
    await eventually("nothing is left", () => all.every(isGone));
  });

  Deno.test(`restart --clone refuses by name what copies cannot share (${who})`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/fd_inet")], {
      dir: dir.join("ckpt"),
      as: who,
    });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.kill();
    await using again = Target.restart(image, { options: ["--clone=2"], as: who });
    assertEquals((await again.end()).code, 1);
    assertMatch(again.stderr.text, /copies cannot share the program's TCP socket 127\.0\.0\.1:\d+/);
    assertEquals(again.stdout.text, "");
  });
}

Deno.test("restart --clone refuses to let copies write to one file, but for --files=keep", async () => {
  await using dir = await TempDir.make();
  const [file, until] = [dir.join("numbers"), dir.join("end")];
  await using target = Target.launch(
    ["sh", "-c", `exec ${built("tests/count_until")} ${until} >${file}`],
    { dir: dir.join("ckpt") },
  );
  await eventually("it counts", () => {
    try {
      return Deno.readTextFileSync(file).includes("\n5\n");
    } catch {
      return false;
    }
  });
  const image = await target.checkpoint();
  await target.kill();
  const before = await Deno.readTextFile(file);
  await using refused = Target.restart(image, { options: ["--clone=2"] });
  assertEquals((await refused.end()).code, 1);
  assertStringIncludes(refused.stderr.text, `each copy would write to ${file}`);
  assertEquals(await Deno.readTextFile(file), before);
  await Deno.writeTextFile(until, "");
  await using again = Target.restart(image, { options: ["--clone=2", "--files=keep"] });
  assertEquals((await again.end()).code, 0);
  assertStringIncludes(again.stderr.text, `each copy writes to ${file}`);
  // Each has written at its own offset, the same.
  const lines = (await Deno.readTextFile(file)).split("\n");
  const at = lines.indexOf("done");
  assertEquals(lines.slice(0, at + 1), [...lines.slice(0, at).map((_, i) => `${i + 1}`), "done"]);
});

async function saveTree(dir: TempDir, program: string): Promise<string> {
  await using target = Target.launch([built(`tests/${program}`)], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  return image;
}

for (const program of ["tree_family", "tree_pipe", "tree_memory"]) {
  Deno.test(`restart --clone brings two copies of a tree back, which find what is theirs: ${program}`, async () => {
    await using dir = await TempDir.make();
    const image = await saveTree(dir, program);
    await Deno.writeTextFile(dir.join("go"), "go\n");
    await using again = Target.restart(image, {
      options: ["--clone=2", `--fd=0=${dir.join("go")}`],
    });
    assertEquals((await again.end()).code, 0, again.stderr.text);
    assertEquals(again.stdout.text.match(/EXIT-SUCCESS/g)?.length, 2);
  });
}

Deno.test("restart --clone names what members of a tree have that copies cannot share, and starts none", async () => {
  await using dir = await TempDir.make();
  const image = await saveTree(dir, "tree_shared");
  await using again = Target.restart(image, { options: ["--clone=2"] });
  assertEquals((await again.end()).code, 1);
  assertMatch(again.stderr.text, /copies cannot share the lock on .*\/shared-/);
  assertMatch(again.stderr.text, /each copy would write to .*\/shared-/);
  assertEquals([...Deno.readDirSync(dir.join("ckpt"))].map(({ name }) => name), ["job"]);
});

Deno.test("restart --clone starts no copy when one cannot be, and leaves nothing", async () => {
  await using dir = await TempDir.make();
  const image = await saveTree(dir, "tree_pipe");
  await Deno.mkdir(dir.join("ckpt/job-2"), { mode: 0o700 });
  const start = (await Deno.readTextFile("/proc/self/stat")).replace(/^.*\) /s, "").split(" ")[19];
  const boot = (await Deno.readTextFile("/proc/sys/kernel/random/boot_id")).trim();
  await Deno.writeTextFile(dir.join("ckpt/job-2/running"), `${Deno.pid} ${start} ${boot}\n`);
  await using again = Target.restart(image, { options: ["--clone=3"] });
  assertEquals((await again.end()).code, 1);
  assertMatch(again.stderr.text, /process \d+ still runs as job-2/);
  assertEquals(again.stdout.text, "");
  assertEquals([...Deno.readDirSync(dir.join("ckpt"))].map(({ name }) => name).sort(), [
    "job",
    "job-2",
  ]);
});

Deno.test("restart --clone says what it does not go with", async () => {
  for (const other of ["--detach", "--pty", "--stopped", "--pid=same", "--pid=new"]) {
    const { code, stderr } = await new Deno.Command(built("restart"), {
      args: ["--clone=2", other, "nothing"],
    }).output();
    assertEquals(code, 2);
    assertStringIncludes(new TextDecoder().decode(stderr), `does not go with ${other}`);
  }
});

Deno.test("ckpt restart --clone --detach says what runs on, and ckpt ls, wait and kill know each", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("count"), "100000", "10"], { dir: dir.join("ckpt") });
  await target.waitFor("\n5\n");
  await target.checkpoint();
  await target.kill();
  const ckpt = (...args: string[]) =>
    run([built("ckpt"), ...args], { cwd: dir.path, env: { NO_COLOR: "1" } });
  const script = 'exec "$@" >out 2>err';
  const command = [built("ckpt"), "restart", "--clone", "2", "--detach", "--fd=1=log", "job"];
  const { code } = await run(["sh", "-c", script, "sh", ...command], { cwd: dir.path });
  assertEquals([code, await Deno.readTextFile(dir.join("err"))], [0, ""]);
  assertMatch(
    await Deno.readTextFile(dir.join("out")),
    /^job-1 {2}running \d+\njob-2 {2}running \d+\n$/,
  );
  const listed = (await ckpt("ls")).stdout;
  for (const name of ["job-1", "job-2"]) {
    assertMatch(listed, new RegExp(`^${name} +running \\d+ +-$`, "m"));
    assertEquals((await ckpt("kill", "--signal=TERM", name)).code, 0);
    assertEquals((await ckpt("wait", name)).code, 128 + 15);
  }
});

Deno.test("ckpt restart --clone runs copies and ends with their status", async () => {
  await using dir = await TempDir.make();
  const until = dir.join("end");
  await using target = Target.launch([built("tests/count_until"), until], {
    dir: dir.join("ckpt"),
  });
  await target.waitFor("\n5\n");
  await target.checkpoint();
  await target.kill();
  const ckpt = (...args: string[]) =>
    run([built("ckpt"), "restart", "--dir", dir.join("ckpt"), ...args, "job"], {
      cwd: dir.path,
      env: { HOME: dir.path, NO_COLOR: "1" },
    });
  const keeping = ckpt("--clone", "2", "--every", "100ms", "--keep", "1", "--name", "kept");
  const kept = ["kept-1", "kept-2"].map((name) => dir.join("ckpt", name));
  await eventually(
    "each has removed an image",
    () => kept.every((job) => imagesOf(job)[0]?.endsWith("/000001.ckpt") === false),
  );
  await Deno.writeTextFile(until, "");
  const { code, stdout, stderr } = await keeping;
  assertEquals(code, 0, stderr);
  assertEquals(stdout.match(/^done$/gm)?.length, 2);
  assertEquals(kept.map((job) => imagesOf(job).length), [1, 1]);
  assertEquals((await ckpt("--clone", "0")).code, 2);
  const wrong = await ckpt("--clone", "2", "--pid", "new");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "each copy has a pid namespace of its own");
});
