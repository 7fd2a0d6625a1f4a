import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { roundtrips } from "./roundtrip.ts";
import { built, eventually, TempDir, testUnless } from "./support.ts";
import { everyone, Target } from "./target.ts";
import { orphanObstacle, stateOf } from "./process.ts";

roundtrips([
  { does: "brings back mask, actions and alternate stack", program: "signals_state" },
  { does: "brings back a handler on the alternate stack", program: "signals_altstack" },
  { does: "brings back pending signals", program: "signals_pending" },
  { does: "lets interval timers run on", program: "process_timers" },
  { does: "brings back timers made by timer_create", program: "process_posix_timers" },
  { does: "brings back timers of every clock and kind", program: "timer_kinds" },
  { does: "brings back the overruns of timers", program: "timer_overruns" },
]);

function isThere(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}

Deno.test("restart() passes signals on to the program", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/signals_told")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  await first.waitUntilAsleep();
  const image = await first.checkpoint();
  await first.kill();
  await using again = Target.restart(image);
  // Before it is sure to run, SIGINT and SIGTERM are for `restart` itself.
  await eventually("restart has noted it", () => isThere(join(again.job, "running")));
  for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1", "SIGWINCH", "SIGTERM"] as const) {
    Deno.kill(again.pid, signal);
    await again.waitFor(`got ${signal}\n`);
  }
  assertEquals((await again.end()).code, 7);
});

Deno.test("restart() passes a request for a checkpoint on to the program", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/vdso")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  await using again = Target.restart(image);
  await again.waitUntilStarted();
  Deno.kill(again.pid, "SIGUSR2");
  const second = image.replace("000001", "000002");
  await eventually("the second image", () => isThere(second));
  await again.send("go\n");
  await again.succeed();
});

testUnless(orphanObstacle, "restart() stops and continues with the program", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/backtrace")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  await using again = Target.restart(image);
  await again.ping();
  const program = again.programPid;
  assert(program !== undefined);
  Deno.kill(again.pid, "SIGTSTP");
  const both = [program, again.pid];
  await eventually("the program stops", () => both.every((pid) => stateOf(pid) === "T"));
  Deno.kill(again.pid, "SIGCONT");
  await eventually("the program continues", () => stateOf(program) === "S");
  await again.send("go\n");
  await again.succeed();
});

for (
  const [what, end, expected] of [
    ["exit status 0", 0, 0],
    ["exit status 37", 37, 37],
    ["death by SIGKILL", -9, 137],
    ["death by SIGSEGV", -11, 139],
    ["death by SIGTERM", -15, 143],
  ] as const
) {
  Deno.test(`restart() reports ${what} of the program`, async () => {
    for (const as of everyone) {
      await using dir = await TempDir.make();
      await using first = Target.launch([built("tests/exit_status"), String(end)], {
        dir: dir.join("ckpt"),
        cwd: dir.path,
        as,
      });
      await first.waitFor("READY\n");
      const image = await first.checkpoint();
      await first.kill();
      await using again = Target.restart(image, { as });
      await again.send("go\n");
      assertEquals((await again.end()).code, expected);
      assertEquals(again.stdout.text, "ending\n");
    }
  });
}
