import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { attach, CheckpointError } from "../mod.ts";
import { descendants, isGone, stateOf } from "./process.ts";
import { makeStatic } from "./static.ts";
import { built, eventually, run, TempDir } from "./support.ts";
import { asUser, coresOf, everyone, imagesOf, Target, type TargetOptions } from "./target.ts";

function nameOf(pid: number): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/comm`).trim();
  } catch {
    return undefined; // it has ended
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
}

function launched(dir: TempDir, options: Partial<TargetOptions> = {}): Target {
  return Target.launch([built("tests/tree_ignored")], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
    ...options,
  });
}

/** Once it bears its name: a shell's child may not have come to its exec. */
function childOf(target: Target, name: string): Promise<number> {
  return eventually(
    `a child ${name}`,
    () => descendants(target.pid).find((pid) => nameOf(pid) === name),
  );
}

/** The one that is left out goes on undisturbed; without it the image finds it gone. */
async function comesBackAlone(target: Target, image: string, as: TargetOptions["as"]) {
  assertEquals(coresOf(image).length, 2);
  await target.send("together\n");
  await target.succeed();
  await using again = Target.restart(image, { as });
  await again.send("alone\n");
  await again.succeed();
}

for (const as of everyone) {
  Deno.test(`CKPT_IGNORE as ${as} leaves out a child that it names, for kill -12`, async () => {
    await using dir = await TempDir.make();
    await using target = launched(dir, { as, env: { CKPT_IGNORE: "nobody,left-alone" } });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await comesBackAlone(target, image, as);
  });

  Deno.test(`checkpoint() of a job of ${as} leaves out a child by its id`, async () => {
    await using dir = await TempDir.make();
    await using target = launched(dir, { as });
    await target.waitFor("READY\n");
    await using job = await attach(target.pid);
    const image = await job.checkpoint({ ignore: [await childOf(target, "left-alone")] });
    await comesBackAlone(target, image.path, as);
  });

  Deno.test(`checkpoint() of a restarted job of ${as} leaves out a child`, async () => {
    await using dir = await TempDir.make();
    await using first = launched(dir, { as });
    await first.waitFor("READY\n");
    const whole = await first.checkpoint();
    await first.kill();
    await using second = Target.restart(whole, { as });
    await second.waitUntilStarted();
    await second.waitUntilAsleep();
    const program = second.programPid!;
    const child = descendants(program).find((pid) => nameOf(pid) === "left-alone")!;
    // By its id as seen from here: the job may be in a pid namespace.
    const options = ["--ignore", `${child}`, "--json", `${program}`];
    const said = await run([...asUser(as), built("ckpt"), "save", ...options]);
    assertEquals(said.code, 0, said.stderr);
    const image = JSON.parse(said.stdout);
    assertEquals(coresOf(image.path).length, 2);
    await second.send("together\n");
    await second.succeed();
    await using last = Target.restart(image.path, { as });
    await last.send("alone\n");
    await last.succeed();
  });
}

Deno.test("checkpoint() leaves out one of two children, but not the process that is asked", async () => {
  await using dir = await TempDir.make();
  await using target = launched(dir);
  await target.waitFor("READY\n");
  await using job = await attach(target.pid);
  const others = descendants(target.pid).filter((pid) => nameOf(pid) === "tree_ignored");
  assertEquals(others.length, 1);
  const image = await job.checkpoint({ ignore: others });
  assertEquals(coresOf(image.path).length, 2);
  const itself = await assertRejects(
    () => job.checkpoint({ ignore: [target.pid] }),
    CheckpointError,
  );
  assertMatch(itself.message, /the process that is to be saved cannot be left out/);
  assertEquals(imagesOf(target.job), [image.path]);
  await assertRejects(() => job.checkpoint({ ignore: ["a,b"] }), TypeError);
  await target.send("together\n");
  await target.succeed();
});

for (const what of ["memory", "descriptors"]) {
  Deno.test(`checkpoint() does not leave out a child that has the program's ${what}`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/tree_ignored"), what], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
    });
    await target.waitFor("READY\n");
    await using job = await attach(target.pid);
    const error = await assertRejects(
      () => job.checkpoint({ ignore: ["tree_ignored", "left-alone"] }),
      CheckpointError,
    );
    assertMatch(
      error.message,
      new RegExp(`cannot be left out: it has the ${what} of process ${target.pid} in common`),
    );
    assertEquals(imagesOf(target.job), []);
    await target.send("together\n");
    await target.succeed();
  });
}

/** Children that libckpt does not get into. */
const without: [what: string, name: string, make: (dir: TempDir) => Promise<string>][] = [
  ["a static program", "alone", makeStatic],
  ["a program without its environment", "sleep", () => Promise.resolve("env -i sleep 60")],
];

for (const [what, name, make] of without) {
  Deno.test(`ckpt save --ignore leaves out ${what}, which goes on`, async () => {
    await using dir = await TempDir.make();
    const command = await make(dir);
    const script = `${command} & echo READY; read -r line; echo EXIT-SUCCESS; kill $!; wait`;
    await using target = Target.launch(["sh", "-c", script], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
    });
    await target.waitFor("READY\n");
    const child = await childOf(target, name);
    const said = await run([
      built("ckpt"),
      "save",
      "--ignore",
      "1",
      "--ignore",
      name,
      `${target.pid}`,
    ]);
    assertEquals(said.code, 0, said.stderr);
    const image = imagesOf(target.job).at(-1)!;
    assertEquals(coresOf(image).length, 1);
    assertEquals(stateOf(child), "S");
    await target.kill();
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.waitFor("EXIT-SUCCESS\n");
  });
}

for (const as of everyone) {
  Deno.test(`restart() by ${as} finds the id of a process taken whose group has a process left`, async () => {
    await using dir = await TempDir.make();
    const script = `sleep 300 & echo READY; read word; echo EXIT-SUCCESS`;
    await using first = Target.launch(["sh", "-c", `setsid sh -c '${script}'; exit $?`], {
      dir: dir.join("ckpt"),
      as,
    });
    await first.waitFor("READY\n");
    const left = await childOf(first, "sleep"), leader = parentOf(left);
    await using job = await attach(first.pid);
    const image = await job.checkpoint({ ignore: [left], kill: true });
    try {
      await eventually("the leader is gone", () => isGone(leader));
      await using again = Target.restart(image.path, { as });
      await again.send("go\n");
      await again.succeed();
    } finally {
      Deno.kill(left);
    }
  });
}
