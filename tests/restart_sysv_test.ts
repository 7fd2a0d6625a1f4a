import { assert, assertEquals } from "@std/assert";
import { roundtrips } from "./roundtrip.ts";
import { built, isRoot, run, TempDir, testUnless } from "./support.ts";
import { Target, userObstacle } from "./target.ts";

roundtrips([
  {
    does: "brings back System V segments that are still there, and those marked for removal",
    program: "memory_sysv",
    endsForGood: true,
    pagemap: true,
  },
]);

/** The id of the segment that the program has said. */
function idOf(target: Target): string {
  return target.stdout.text.match(/id (\d+)/)![1]!;
}

testUnless(
  isRoot ? false : "choosing an id needs root",
  "restart() makes a System V segment that is gone again, with its key and id",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/memory_sysv")], { dir: dir.join("ckpt") });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.send("go\n");
    await target.succeed();
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  },
);

testUnless(
  userObstacle,
  "restart() by an ordinary user gives a System V segment that is gone another id, and says so",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/memory_sysv"), "any"], {
      dir: dir.join("ckpt"),
      as: "user",
    });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.send("go\n");
    await target.succeed();
    await using again = Target.restart(image, { as: "user" });
    await again.send("go\n");
    await again.succeed();
    assert(
      again.stderr.text.includes(`System V segment ${idOf(target)} `),
      again.stderr.text,
    );
  },
);

Deno.test("restart() refuses a System V segment that another process uses, and names it", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/memory_sysv")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  const { code, stderr } = await run([built("restart"), "--pid=namespace", image]);
  assertEquals(code, 1, stderr);
  assert(stderr.includes(`System V segment ${idOf(target)} `), stderr);
  await target.send("go\n");
  await target.succeed();
});
