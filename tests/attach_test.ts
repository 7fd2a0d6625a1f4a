import { assert, assertEquals, assertRejects } from "@std/assert";
import { attach, CheckpointError } from "../mod.ts";
import { count, reaches } from "./counter.ts";
import { readProc } from "../src/proc.ts";
import { makeStatic, makeStaticHandler } from "./static.ts";
import { built, eventually, isRoot, run, TempDir, testUnless } from "./support.ts";
import { asUser, Target, userObstacle } from "./target.ts";

Deno.test("attach() finds a program by its id, saves it and waits for its end", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir, { name: "sim" });
  await reaches(counter, 2);
  await using job = await attach(counter.job.pid);
  assertEquals([job.pid, job.name], [counter.job.pid, "sim"]);
  assertEquals((await job.checkpoint()).job, "sim");
  await job.kill();
  assertEquals(await job.status, { success: false, code: null, signal: null });
  assertEquals((await counter.job.status).signal, "SIGKILL");
});

Deno.test("attach() lets go of a program at the end of its scope", async () => {
  await using dir = await TempDir.make();
  await using counter = await count(dir);
  await reaches(counter, 2);
  {
    await using job = await attach(counter.job.pid);
    job.status.then(() => {}); // waiting is no reason to hold on
  }
  const before = counter.output.text.length;
  await eventually("more numbers", () => counter.output.text.length > before);
});

Deno.test("attach() saves a program that has used up its descriptors", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/limits"), "descriptors"], {
    dir: dir.join("ckpt"),
  });
  await target.waitFor("READY\n");
  await using job = await attach(target.pid);
  const image = await job.checkpoint();
  await target.send("go\n");
  await target.succeed();
  await using again = Target.restart(image.path);
  await again.send("go\n");
  await again.succeed();
});

Deno.test("attach() finds libckpt in a restarted program that has written over its environment", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/process_title")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  let image = await target.checkpoint();
  await target.kill();
  for (let generation = 1; generation <= 2; generation++) {
    await using again = Target.restart(image);
    await again.ping();
    await using job = await attach(again.programPid!);
    ({ path: image } = await job.checkpoint());
    await again.send("go\n");
    await again.succeed();
  }
});

Deno.test("attach() refuses an id that no process has", async () => {
  const child = new Deno.Command("true").spawn();
  await child.status;
  const error = await assertRejects(
    () => attach(child.pid),
    CheckpointError,
    `Cannot checkpoint process ${child.pid}: there is no such process`,
  );
  assertEquals(error.pid, child.pid);
  await assertRejects(() => attach(0), TypeError);
  await assertRejects(() => attach(1.5), TypeError);
});

Deno.test("attach() refuses a process without libckpt, which lives on", async () => {
  const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    await assertRejects(() => attach(child.pid), CheckpointError, "runs without libckpt");
    child.kill("SIGCONT"); // throws when it has ended
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});

for (
  const [what, make] of [
    ["is static", makeStatic],
    ["is static which handles the control signal", makeStaticHandler],
  ] as const
) {
  Deno.test(`attach() says that a program ${what}`, async () => {
    await using dir = await TempDir.make();
    const [program, ...args] = (await make(dir)).split(" ");
    const child = new Deno.Command(dir.join(program!), {
      args,
      cwd: dir.path,
      env: { LD_PRELOAD: built("libckpt.so") },
    }).spawn();
    try {
      const isNamed = async () => await readProc(child.pid, "comm") === "alone\n";
      await eventually("it is named", isNamed);
      await assertRejects(() => attach(child.pid), CheckpointError, "statically linked");
      child.kill("SIGCONT"); // throws when it has ended
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
  });
}

testUnless(
  !isRoot && "only root can become another user",
  "attach() refuses a process of another user",
  async () => {
    await using dir = await TempDir.make();
    await using counter = await count(dir);
    await reaches(counter, 2);
    const command = [...asUser("user"), built("ckpt"), "save", String(counter.job.pid)];
    const result = await run(command);
    assertEquals([result.code, result.stdout], [1, ""]);
    assertEquals(
      result.stderr,
      `error: Cannot checkpoint process ${counter.job.pid}: it belongs to user 0 (ask as that user or as root)\n`,
    );
  },
);

testUnless(
  userObstacle,
  "attach() as root saves a program that an ordinary user has restarted in a namespace of its own",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/process_title")], {
      dir: dir.join("ckpt"),
      as: "user",
    });
    await target.waitFor("READY\n");
    let image = await target.checkpoint();
    await target.kill();
    for (let generation = 1; generation <= 2; generation++) {
      await using again = Target.restart(image, { options: ["--pid=namespace"], as: "user" });
      await again.ping();
      await using job = await attach(again.programPid!);
      const namespace = (pid: number | "self") => Deno.readLinkSync(`/proc/${pid}/ns/user`);
      assert(namespace(job.pid) !== namespace("self"));
      ({ path: image } = await job.checkpoint());
      assertEquals((await Deno.stat(image)).uid, 1000);
      await again.send("go\n");
      await again.succeed();
    }
  },
);
