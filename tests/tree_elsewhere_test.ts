/** What restart's options change of a tree of processes. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { basename, join } from "@std/path";
import { descendants, innerPid, stateOf } from "./process.ts";
import { built, eventually, isInstalled, isRoot, run, TempDir, testUnless } from "./support.ts";
import { asUser, coresOf, everyone, Target, traceObstacle, type Who } from "./target.ts";

/** Saves a shell with a child once both are ready, and kills them. */
async function save(dir: TempDir, script: string, options: { cwd?: string; as?: Who } = {}) {
  await using target = Target.launch(["bash", "-c", script], { dir: dir.join("ckpt"), ...options });
  await target.waitFor("READY\n");
  await target.waitUntilAsleep();
  const image = await target.checkpoint();
  await target.kill();
  return image;
}

function pidsOf(image: string): number[] {
  return coresOf(image).map((core) => parseInt(basename(core))).sort((a, b) => a - b);
}

for (const as of everyone) {
  for (const mode of ["same", "namespace"] as const) {
    const obstacle = mode === "same" && (as === "user" || !isRoot);
    Deno.test(`restart --pid=${mode} ${obstacle ? "refuses" : "brings back"} a tree (${as})`, async () => {
      await using dir = await TempDir.make();
      // The shell waits for its child by its id.
      const script = "exec 3<&0; (echo READY; read word <&3; echo child $word; read word <&3) & " +
        "child=$!; wait $child || exit 9; read word <&3; echo last $word";
      const image = await save(dir, script, { as });
      await using again = Target.restart(image, { options: [`--pid=${mode}`], as });
      if (obstacle) {
        assertEquals((await again.end()).code, 1);
        assertMatch(again.stderr.text, /--pid=namespace gives it a namespace where it has that id/);
        return;
      }
      await again.send("one\n");
      await again.waitFor("child one\n");
      const family = descendants(again.pid).filter((pid) => stateOf(pid) !== "Z");
      const saved = pidsOf(image);
      const inner = family.map((pid) => innerPid(pid)!).filter((pid) => saved.includes(pid));
      const outer = family.filter((pid) => saved.includes(pid));
      assertEquals(inner.length, saved.length);
      if (mode === "same") assertEquals(outer.sort((a, b) => a - b), saved);
      if (mode === "namespace") assert(family.length > saved.length); // its first process
      await again.send("two\nthree\n");
      assertEquals((await again.end()).code, 0);
      assertMatch(again.stdout.text, /^last three$/m);
    });
  }
}

Deno.test("restart --chdir moves all processes of a tree that were where the first one was", async () => {
  await using dir = await TempDir.make();
  for (const name of ["here", "here/below", "there"]) await Deno.mkdir(dir.join(name));
  const where = "readlink /proc/self/cwd"; // of a child: a shell believes what it remembers
  const script = `( (cd below; echo READY; read word; ${where}); ${where}); ${where}; :`;
  const image = await save(dir, script, { cwd: dir.join("here") });
  assertEquals(coresOf(image).length, 3);
  await using again = Target.restart(image, { options: [`--chdir=${dir.join("there")}`] });
  await again.send("go\n");
  assertEquals((await again.end()).code, 0);
  const there = dir.join("there");
  assertEquals(again.stdout.text.split("\n").slice(0, 3), [dir.join("here/below"), there, there]);
});

Deno.test("restart --map finds the files of all processes of a tree, by path and by prefix", async () => {
  await using dir = await TempDir.make();
  for (const name of ["old", "old/sub", "new"]) await Deno.mkdir(dir.join(name));
  for (const name of ["a", "sub/b"]) {
    await Deno.writeTextFile(dir.join("old", name), `1 ${name}\n2 ${name}\n`);
  }
  // The first file is shared, with one position; the other is the child's own.
  const script = "exec 3<old/a; (exec 4<old/sub/b; read line <&4; echo READY; read go; " +
    "read line <&4; echo $line; read line <&3; echo $line); read line <&3; echo $line; pwd";
  const image = await save(dir, script, { cwd: dir.path });
  await Deno.rename(dir.join("old/sub"), dir.join("new/below"));
  await Deno.rename(dir.join("old/a"), dir.join("new/first"));
  await Deno.remove(dir.join("old"));
  const refused = await run([built("restart"), image]);
  for (const name of ["old/a", "old/sub/b"]) assert(refused.stderr.includes(dir.join(name)));
  await using again = Target.restart(image, {
    options: [
      `--map=${dir.join("old/sub")}=${dir.join("new/below")}`,
      `--map=${dir.join("old/a")}=${dir.join("new/first")}`,
    ],
  });
  await again.send("go\n");
  assertEquals((await again.end()).code, 0, again.stderr.text);
  assertEquals(again.stdout.text, `2 sub/b\n1 a\n2 a\n${dir.path}\n`);
});

for (const as of everyone) {
  Deno.test(`restart --fd gives members of a tree another file with one position, or restart's own (${as})`, async () => {
    await using dir = await TempDir.make();
    const old = dir.join("old");
    await Deno.writeTextFile(old, "old 1\nold 2\n");
    await Deno.writeTextFile(dir.join("in"), "new 1\nnew 2\nnew 3\n");
    const script = `exec 3<${old}; (echo READY; read go; read line <&3; echo $line); ` +
      "read line <&3; echo $line";
    const image = await save(dir, script, { as });
    {
      await using again = Target.restart(image, { options: [`--fd=3=${dir.join("in")}`], as });
      await again.send("go\n");
      assertEquals((await again.end()).code, 0, again.stderr.text);
      assertEquals(again.stdout.text, "new 1\nnew 2\n");
    }
    const { code, stdout, stderr } = await run([
      ...asUser(as),
      "bash",
      "-c",
      `exec 3<"$0"; read line <&3; echo go | "$1" --fd=3=inherit "$2"; read line <&3; echo $line`,
      dir.join("in"),
      built("restart"),
      image,
    ]);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout, "new 2\nnew 3\n\n"); // its position was the caller's, and is
  });
}

testUnless(
  !await isInstalled("gdb") && "gdb is not installed" || traceObstacle("self"),
  "ckpt gdb takes an image, and with --keep the tree goes on when gdb ends",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch(
      ["sh", "-c", `${built("count")} 100000 5; exit 3`],
      { dir: dir.join("ckpt") },
    );
    await target.waitFor("\n5\n");
    const image = await target.checkpoint();
    await target.kill();
    const ckpt = (...args: string[]) =>
      run([built("ckpt"), ...args], { cwd: dir.path, env: { HOME: dir.path, NO_COLOR: "1" } });
    // What goes on has this command's output: a file, so that nobody waits for it.
    const { code } = await run(
      ["sh", "-c", 'exec "$@" >out 2>&1', "sh", built("ckpt"), "gdb", "--keep", image].concat(
        ["--", "-batch", "-ex", "inferior 2", "-ex", "bt"],
      ),
      { cwd: dir.path, env: { HOME: dir.path } },
    );
    const out = () => Deno.readTextFile(dir.join("out"));
    assertEquals(code, 0, await out());
    assertMatch(await out(), /^#\d+ .* main \(.*count\.c/m);
    const numbers = async () => [...(await out()).matchAll(/^\d+$/gm)].length;
    const before = await numbers();
    await eventually("it counts on", async () => await numbers() > before + 5);
    assertMatch((await ckpt("ls")).stdout, /^job +running \d+ and 1 more +1 /m);
    assertEquals((await ckpt("kill", "job")).code, 0);
    assertEquals((await ckpt("wait", "job")).code, 128 + 9);
    assertEquals([...Deno.readDirSync(join(dir.path, "ckpt/job"))].length, 3);
  },
);
