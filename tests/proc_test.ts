import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readProc } from "../src/proc.ts";
import { descendants, stateOf } from "./process.ts";
import { eventually, root, run, TempDir, testUnless } from "./support.ts";
import { asUser, userObstacle } from "./target.ts";

Deno.test("readProc() gives nothing of a process that ends meanwhile", async () => {
  for (let i = 0; i < 50; i++) {
    const child = new Deno.Command("true").spawn();
    // Until it is gone: now and then between open and read.
    while (await readProc(child.pid, "stat") !== undefined);
    assertEquals((await child.status).code, 0);
  }
});

testUnless(
  userObstacle,
  "readAuxiliary() and readProc() by an ordinary user give nothing of a process that has ended, and is root's by then",
  async () => {
    await using dir = await TempDir.make();
    const who = asUser("user");
    // sleep waits for no child.
    const parent = new Deno.Command(who[0]!, {
      args: [...who.slice(1), "sh", "-c", "true & exec sleep 60"],
    }).spawn();
    try {
      const ended = await eventually(
        "a child that has ended",
        () => descendants(parent.pid).find((pid) => stateOf(pid) === "Z"),
      );
      const look = `import { readAuxiliary, readProc } from "${join(root, "src/proc.ts")}";
        console.log((await readAuxiliary(${ended})).size, await readProc(${ended}, "auxv"));`;
      const result = await run(
        [...who, "env", `DENO_DIR=${dir.path}`, Deno.execPath(), "eval", look],
      );
      assertEquals(result, { code: 0, stdout: "0 undefined\n", stderr: "" });
    } finally {
      parent.kill();
      await parent.status;
    }
  },
);
