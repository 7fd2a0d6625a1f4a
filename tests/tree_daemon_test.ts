import { assert, assertEquals } from "@std/assert";
import { basename } from "@std/path";
import { attach, launch, restart } from "../mod.ts";
import { descendants, isGone } from "./process.ts";
import { built, eventually, TempDir } from "./support.ts";
import { coresOf, everyone, imagesOf, Target } from "./target.ts";

const MEMBERS = 7; // the program, five daemons and the child of one

/** The processes of an image that was made where they run. */
function pidsOf(image: string): number[] {
  return coresOf(image).map((core) => Number(basename(core).replace(".core", "")));
}

async function killAll(pids: number[]): Promise<void> {
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch (error) {
      // It went with the first process of its namespace.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  await eventually("its processes are gone", () => pids.every(isGone));
}

Deno.test("restart() makes a namespace where somebody is in the session of a child that had ended", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/tree_session")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const left = Number(/^left (\d+)$/m.exec(first.stdout.text)![1]);
  try {
    const image = await first.checkpoint();
    assertEquals(coresOf(image).length, 1);
    await first.send("go\n");
    await first.succeed();
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  } finally {
    await killAll([left]);
  }
});

for (const as of everyone) {
  Deno.test(`restart() as ${as} brings back daemons of a restarted program`, async () => {
    await using dir = await TempDir.make();
    const env = { CKPT_JOB: `${Deno.pid}-${crypto.randomUUID()}` };
    const options = { dir: dir.join("ckpt"), cwd: dir.path, as, env };
    await using first = Target.launch([built("tests/tree_daemon")], options);
    await first.waitFor("READY\n");
    let image = await first.checkpoint();
    await killAll(pidsOf(image));
    for (let level = 0; level < 2; level++) {
      assertEquals(coresOf(image).length, MEMBERS);
      await using target = Target.restart(image, { as });
      await target.ping();
      image = await target.checkpoint();
      const family = descendants(target.pid);
      assert(family.length >= MEMBERS);
      await killAll(family);
      await target.end();
    }
    await using last = Target.restart(image, { as });
    await last.waitUntilStarted();
    const family = descendants(last.pid);
    await last.send("go\n");
    await last.succeed();
    await eventually("its processes are gone", () => family.every(isGone));
  });
}

for (const [as, pid] of everyone.flatMap((as) => [[as, "auto"], [as, "namespace"]] as const)) {
  const what = `restart() as ${as} with pid: "${pid}"`;
  Deno.test(`${what} may be killed: the daemons are saved all the same, and killed`, async () => {
    await using dir = await TempDir.make();
    const env = { CKPT_JOB: `${Deno.pid}-${crypto.randomUUID()}` };
    const options = { dir: dir.join("ckpt"), cwd: dir.path, as, env };
    await using first = Target.launch([built("tests/tree_daemon")], options);
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await killAll(pidsOf(image));
    await using target = Target.restart(image, { as, options: [`--pid=${pid}`] });
    await target.ping();
    const root = target.programPid!;
    const family = descendants(target.pid);
    Deno.kill(target.pid, "SIGKILL");
    await target.status;
    Deno.kill(root, "SIGUSR2");
    await eventually("an image", () => imagesOf(target.job).length > 1);
    const second = imagesOf(target.job).at(-1)!;
    assertEquals(coresOf(second).length, MEMBERS);
    await using same = await attach(root);
    await same.kill();
    await eventually("its processes are gone", () => family.every(isGone));
    await using last = Target.restart(second, { as });
    await last.send("go\n");
    await last.succeed();
  });
}

for (const pid of ["auto", "namespace", "new"] as const) {
  Deno.test(`kill() ends the daemons of a program, also restarted with pid: "${pid}"`, async () => {
    await using dir = await TempDir.make();
    const program = built("tests/tree_daemon");
    await using job = await launch([program], {
      name: "job",
      dir: dir.path,
      stdin: "piped",
      stdout: "piped",
    });
    const reader = job.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    const image = await job.checkpoint();
    const pids = pidsOf(image.path);
    assertEquals(pids.length, MEMBERS);
    await job.kill();
    await eventually("its processes are gone", () => pids.every(isGone));
    await using again = await restart(image, {
      pid,
      stdin: "piped",
      stdout: "piped",
      quiet: true,
    });
    const second = await again.checkpoint();
    assertEquals(coresOf(second.path).length, MEMBERS);
    const family = descendants(Deno.pid).filter((pid) => !isGone(pid));
    assert(family.length > MEMBERS);
    await using same = await attach(again.pid);
    await same.kill();
    await eventually("its processes are gone", () => family.every(isGone));
  });
}

Deno.test("restart() ends with the program, whose daemon runs on", async () => {
  await using dir = await TempDir.make();
  const script = `sh -c 'until [ -e end ]; do sleep 0.02; done > /dev/null && echo ended > answer &'
echo READY
read -r go
exit 5`;
  const env = { CKPT_JOB: `${Deno.pid}-${crypto.randomUUID()}` };
  await using first = Target.launch(["bash", "-c", script], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
    env,
  });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  const pids = pidsOf(image);
  assert(pids.length >= 2);
  await killAll(pids);
  await using again = Target.restart(image);
  await again.waitUntilStarted();
  await again.send("go\n");
  assertEquals((await again.status).code, 5);
  await Deno.writeTextFile(dir.join("end"), "");
  await eventually("the daemon's answer", () => {
    try {
      return Deno.readTextFileSync(dir.join("answer")) === "ended\n";
    } catch {
      return false;
    }
  });
});
