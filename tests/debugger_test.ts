import { assertRejects } from "@std/assert";
import { attach, CheckpointError } from "../mod.ts";
import { stateOf } from "./process.ts";
import { built, eventually, isInstalled, TempDir, testUnless } from "./support.ts";
import { Target, traceObstacle } from "./target.ts";

testUnless(
  !await isInstalled("gdb") && "gdb is not installed" || traceObstacle("self"),
  "checkpoint() works while a program runs under gdb, and refuses while gdb has stopped it",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/threads"), "3"], { dir: dir.join("ckpt") });
    await target.waitFor("READY\n");
    await using job = await attach(target.pid);
    const gdb = new Deno.Command("gdb", {
      args: ["-nx", "-q", "-p", `${target.pid}`],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const commands = gdb.stdin.getWriter();
    const say = (words: string) => commands.write(new TextEncoder().encode(words));
    try {
      await eventually("gdb has stopped it", () => stateOf(target.pid) === "t");
      await assertRejects(() => job.checkpoint(), CheckpointError, "a debugger has stopped it");
      await say("continue\n");
      await eventually("it goes on", () => stateOf(target.pid) === "S");
      const image = await job.checkpoint();
      await target.send("go\n");
      await target.succeed();
      await using again = Target.restart(image.path);
      await again.send("go\n");
      await again.succeed();
    } finally {
      await commands.close();
      await gdb.status;
    }
  },
);
