import { assert, assertEquals, assertMatch } from "@std/assert";
import { CoreEditor } from "./edit_core.ts";
import { descendants, isGone, stateOf } from "./process.ts";
import { built, eventually, isInstalled, run, TempDir, testUnless } from "./support.ts";
import { asUser, coreOf, everyone, Target, traceObstacle, userObstacle } from "./target.ts";

const noGdb = !await isInstalled("gdb");

/** All of its processes, once all are stopped. */
async function stopped(target: Target, count: number): Promise<number[]> {
  return await eventually("all are stopped", () => {
    const pid = target.programPid;
    const all = pid === undefined ? [] : [pid, ...descendants(pid)];
    return all.length === count && all.every((pid) => stateOf(pid) === "T") && all;
  });
}

for (const who of everyone) {
  Deno.test(`restart --stopped stops a program with threads before it runs, until SIGCONT (${who})`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/threads")], {
      dir: dir.join("ckpt"),
      as: who,
    });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.kill();
    await using again = Target.restart(image, { options: ["--stopped"], as: who });
    const [pid] = await stopped(again, 1);
    await again.send("go\n");
    if (!noGdb && !traceObstacle(who)) {
      const gdb = ["gdb", "-q", "-batch", "-iex", "set sysroot /", "-ex", "thread apply all bt"];
      const program = built("tests/threads");
      const { stdout } = await run([...asUser(who), ...gdb, program, String(pid)]);
      assertMatch(stdout, /^#\d+ .* main \(/m);
      const stacks = stdout.split(/^Thread /m).slice(1);
      assertEquals(stacks.length, [...Deno.readDirSync(`/proc/${pid}/task`)].length);
      for (const stack of stacks) assertMatch(stack, /^#\d+ .* (main|start_thread) \(/m);
    }
    assertEquals(again.stdout.text, "");
    Deno.kill(pid!, "SIGCONT");
    await again.succeed();
  });

  Deno.test(`restart --stopped stops a whole tree, and restart lets it go (${who})`, async () => {
    await using dir = await TempDir.make();
    const script = "echo ready; (while read word; do echo $word; done) | cat; echo last";
    await using target = Target.launch(["sh", "-c", script], { dir: dir.join("ckpt"), as: who });
    await target.waitFor("ready\n");
    await target.send("one\n");
    await target.waitFor("one\n");
    const image = await target.checkpoint();
    await target.kill();
    await Deno.writeTextFile(dir.join("in"), "two\n");
    await using again = Target.restart(image, {
      options: ["--stopped", `--fd=0=${dir.join("in")}`],
      as: who,
    });
    const all = await stopped(again, 3);
    assertEquals(again.stdout.text, "");
    // The first of them, or restart itself.
    Deno.kill(who === "self" ? all[0]! : again.pid, "SIGCONT");
    assertEquals((await again.end()).code, 0);
    assertEquals(again.stdout.text, "two\nlast\n");
  });

  Deno.test({
    name: `ckpt gdb shows a tree where it was saved, and its core (${who})`,
    ignore: noGdb || traceObstacle(who) !== false,
    fn: async () => {
      await using dir = await TempDir.make();
      const script = `${built("count")} 100000 5; :`;
      await using target = Target.launch(["sh", "-c", script], { dir: dir.join("ckpt"), as: who });
      await target.waitFor("\n5\n");
      await target.checkpoint();
      await target.kill();
      const gdb = (...args: string[]) =>
        run([...asUser(who), built("ckpt"), "gdb", "--dir", dir.join("ckpt"), ...args], {
          cwd: dir.path,
          env: { HOME: dir.path, NO_COLOR: "1" },
        });
      const look = ["-batch", "-ex", "inferior 2", "-ex", "bt", "-ex", "info inferiors"];
      const live = await gdb("--quiet", "job", "--", ...look);
      assertMatch(live.stdout, /^#\d+ .* main \(.*count\.c/m);
      const ids = [...live.stdout.matchAll(/process (\d+) .*(?:dash|sh|count)/g)].map(([, id]) =>
        Number(id)
      );
      assert(ids.length >= 2, live.stdout + live.stderr);
      await eventually("all are gone", () => ids.every(isGone));
      const core = await gdb("--core", "job", "--", "-batch", "-ex", "info files");
      assertMatch(core.stdout, /Local core dump file/);
    },
  });
}

testUnless(
  userObstacle,
  "restart() --stopped changes no file when it may not trace the program",
  async () => {
    await using dir = await TempDir.make();
    const path = dir.join("log");
    await using target = Target.launch([built("tests/file_writer"), path], {
      dir: dir.join("ckpt"),
      as: "user",
    });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.send("more\n");
    await target.waitFor("line 1\n");
    await target.kill();
    const core = await CoreEditor.open(coreOf(image));
    core.setProcess("dumpable", 0);
    await core.save();
    await using again = Target.restart(image, { as: "user", options: ["--stopped"] });
    assertEquals((await again.end()).code, 1);
    assertMatch(again.stderr.text, /^restart: --stopped: cannot trace process \d+: /);
    assertEquals(await Deno.readTextFile(path), "line 1\n");
  },
);
