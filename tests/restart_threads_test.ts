import { assertEquals, assertMatch } from "@std/assert";
import { attach, Image } from "../mod.ts";
import { join } from "@std/path";
import { built, root, run, TempDir } from "./support.ts";
import { roundtrips } from "./roundtrip.ts";
import { CoreEditor } from "./edit_core.ts";
import { coreOf, Target } from "./target.ts";

const cli = join(root, "cli.ts");

roundtrips([
  { does: "brings back a second thread", program: "threads", args: () => ["1"] },
  { does: "brings back threads that wait in every way", program: "threads", args: () => ["12"] },
  {
    does: "brings back threads of which another than the main one led",
    program: "threads",
    args: () => ["6", "elsewhere"],
  },
  { does: "brings back 200 threads", program: "threads", args: () => ["200"] },
  { does: "brings back threads of unusual kinds and their mutexes", program: "thread_kinds" },
  { does: "brings back threads that come and go all the time", program: "thread_churn" },
  {
    does: "brings back threads that are deep in the allocator, the loader, a handler or a lock",
    program: "thread_deep",
  },
  {
    does: "brings back threads that share an alternate signal stack",
    program: "thread_altstack",
  },
  { does: "brings back threads that may not be started any more", program: "thread_limit" },
  {
    does: "brings back threads that have robust locks in a file",
    program: "thread_robust",
    args: (dir) => [dir.join("locks")],
    endsForGood: true,
  },
  {
    does: "goes on with a wait that a request reached while another thread led",
    program: "late_request",
  },
  { does: "ends a main thread again that ended before the others", program: "main_ended" },
  {
    does: "ends a main thread again that has a status of its own",
    program: "main_ended",
    args: () => ["bare"],
    status: 3,
  },
]);

Deno.test("restart() brings back 2,000 threads", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/threads"), "2000"], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  await using again = Target.restart(image);
  await again.send("go\n");
  await again.succeed();
});

Deno.test("an image tells its threads by id and name", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/threads"), "3"], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await Image.open(await target.checkpoint());
  const names = image.processes[0]!.threads.map((thread) => thread.name).toSorted();
  assertMatch(names.join(" "), /^threads worker-0 worker-1 worker-2$/);
});

Deno.test("checkpoint() of a process with threads answers every one of several requests", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/threads"), "8", "elsewhere"], {
    dir: dir.join("ckpt"),
  });
  await target.waitFor("READY\n");
  await using job = await attach(target.pid);
  const asked = Array.from({ length: 6 }, () => {
    Deno.kill(target.pid, "SIGUSR2"); // any thread may take it, and lead
    return job.checkpoint();
  });
  const numbers = new Set((await Promise.all(asked)).map((image) => image.number));
  assertEquals(numbers.size, 6);
  await target.send("go\n");
  await target.succeed();
});

function cpusOf(pid: number): string {
  return /^Cpus_allowed_list:\s*(.*)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]!;
}

Deno.test("restart() does not keep a program on the CPUs that it was only started with", async () => {
  await using dir = await TempDir.make();
  const first = cpusOf(Deno.pid).match(/\d+/)![0];
  const command = ["taskset", "-c", first, built("tests/threads"), "1"];
  await using target = Target.launch(command, { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  assertEquals(cpusOf(target.pid), first);
  const image = await target.checkpoint();
  await target.kill();
  await using again = Target.restart(image);
  await again.ping();
  assertEquals(cpusOf(again.programPid!), cpusOf(Deno.pid));
  // Nor does an image of the restarted one take restart's for a choice of the program's.
  const second = await again.checkpoint();
  await again.kill();
  await using last = Target.restart(second);
  await last.ping();
  assertEquals(cpusOf(last.programPid!), cpusOf(Deno.pid));
  await last.send("go\n");
  await last.succeed();
});

Deno.test("restart() refuses an image in which the wrong thread has ended, or in an impossible way", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/main_ended")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  for (
    const [index, field, value] of [
      [1, "ended", 1],
      [0, "ended", 2],
      [0, "ended", 0],
      [0, "exit_code", 9],
      [0, "exit_code", 0x10000],
      [0, "name", 0x20202020],
    ] as const
  ) {
    const image = await target.checkpoint();
    const core = await CoreEditor.open(coreOf(image));
    core.setThread(index, field, value);
    if (field === "name") {
      for (let i = 4; i < 16; i += 4) core.setThread(index, field, value, i);
    }
    await core.save();
    const { code, stderr } = await run([built("restart"), "--pid=namespace", image]);
    assertEquals(code, 1);
    assertMatch(stderr, new RegExp(`damaged: thread ${index}`), `${field} ${value}`);
  }
  await target.send("go\n");
  await target.succeed();
});

Deno.test("a program whose main thread has ended is found, saved on request and not restarted twice", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/main_ended")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  await using job = await attach(target.pid);
  assertEquals(job.dir, target.job);
  const image = await job.checkpoint();
  const threads = image.processes[0]!.threads;
  assertEquals(threads.map((thread) => thread.ended), [true, false, false]);
  assertEquals(threads[0]!.tid, target.pid);
  const shown = await run([
    Deno.execPath(),
    "run",
    "-A",
    "--no-check",
    cli,
    "show",
    "--threads",
    image.path,
  ]);
  assertMatch(
    shown.stdout,
    new RegExp(`^${target.pid} +${target.pid} +main_ended +- +has ended +-$`, "m"),
  );
  const second = await run([built("restart"), image.path]);
  assertEquals(second.code, 1);
  assertMatch(second.stderr, new RegExp(`process ${target.pid} of this image still runs`));
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() by request is answered after pthread_cancel has taken the control signal", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/thread_churn")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  await using job = await attach(target.pid);
  await job.checkpoint(); // by the next one, it has been called in any case
  const image = await job.checkpoint();
  await target.kill();
  await using again = Target.restart(image.path);
  await again.send("go\n");
  await again.succeed();
});
