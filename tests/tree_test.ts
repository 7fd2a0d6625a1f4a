import { assertEquals } from "@std/assert";
import { launch } from "../mod.ts";
import { stateOf } from "./process.ts";
import { roundtrips } from "./roundtrip.ts";
import { eventually, TempDir } from "./support.ts";

roundtrips([
  {
    does: "brings back a family: ids, parents, groups, sessions, children that have ended",
    program: "tree_family",
  },
  {
    does: "brings back what two processes share, and what each has for itself",
    program: "tree_shared",
    endsForGood: true,
  },
  {
    does: "brings back once what waits in a pipe that many processes can read",
    program: "tree_pipe",
  },
  {
    does: "brings back locks that one process holds and another waits for",
    program: "tree_locks",
    endsForGood: true,
  },
]);

Deno.test("Job.kill() ends a program with all of its descendants", async () => {
  await using dir = await TempDir.make();
  const script = "(sleep 60 & echo $! > inner; wait) & echo $! > outer; wait";
  await using job = await launch(["sh", "-c", script], { dir: dir.join("ckpt"), cwd: dir.path });
  const read = (name: string) => Deno.readTextFile(dir.join(name)).then(Number, () => 0);
  await eventually("all run", async () => await read("outer") > 0 && await read("inner") > 0);
  await job.kill();
  for (const name of ["outer", "inner"]) {
    const pid = await read(name);
    await eventually(`${name} is gone`, () => ["Z", undefined].includes(stateOf(pid)));
  }
  assertEquals((await job.status).signal, "SIGKILL");
});
