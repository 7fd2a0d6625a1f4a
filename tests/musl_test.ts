import { eventually, TempDir, testUnless } from "./support.ts";
import { stateOf } from "./process.ts";
import { Target } from "./target.ts";
import { buildForMusl, muslObstacle } from "./musl.ts";

/** Programs and their arguments; the first of some is a directory to work in. */
const programs: [program: string, ...args: string[]][] = [
  ["memory_contents"],
  ["memory_anonymous"],
  ["segments"],
  ["signals_state"],
  ["fd_files", "work"],
  ["registers_general"],
  ["registers_vector"],
  ["threads", "12"],
  ["threads", "6", "elsewhere"],
  ["thread_kinds"],
  ["thread_churn"],
  ["thread_deep"],
  ["main_ended"],
  ["late_request"],
  ["sysv_semaphores"],
  ["sysv_queues"],
  ["busy", "timer"],
];

for (const [program, ...args] of programs) {
  testUnless(
    muslObstacle,
    `restart() brings back ${[program, ...args].join(" ")}, built for another libc`,
    async () => {
      await using dir = await TempDir.make();
      const path = await buildForMusl(program, dir);
      await using first = Target.launch([path, ...args], {
        dir: dir.join("ckpt"),
        cwd: dir.path,
      });
      await first.waitFor("READY\n");
      await first.checkpoint();
      const image = await first.checkpoint();
      await first.kill();
      await using again = Target.restart(image);
      await again.send("go\n");
      await again.succeed();
    },
  );
}

testUnless(
  muslObstacle,
  "checkpoint() lets a call end that pthread_cancel of another libc has ended",
  async () => {
    await using dir = await TempDir.make();
    const path = await buildForMusl("cancelled", dir);
    await using first = Target.launch([path], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    await eventually("its thread waits", () => {
      const tids = [...Deno.readDirSync(`/proc/${first.pid}/task`)].map(({ name }) => Number(name));
      return tids.length === 2 && tids.every((tid) => stateOf(tid) === "S");
    });
    const image = await first.checkpoint();
    await first.waitFor("ended\n");
    await first.send("go\n");
    await first.succeed();
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  },
);
