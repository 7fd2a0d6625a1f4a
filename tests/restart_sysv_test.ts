import { assert, assertEquals } from "@std/assert";
import { CoreEditor } from "./edit_core.ts";
import { roundtrips } from "./roundtrip.ts";
import { built, isRoot, run, TempDir, testUnless } from "./support.ts";
import { coreOf, Target, userObstacle } from "./target.ts";

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

Deno.test("restart() after a reboot leaves a System V segment alone that has the id of the program's", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/memory_private")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  const core = await CoreEditor.open(coreOf(image));
  core.addToImage("boot_id", 1n);
  await core.save();
  await using again = Target.restart(image);
  await again.send("go\n");
  await again.succeed();
  const [, id] = again.stderr.text.match(/^restart: System V segment \d+ .* has the id (\d+) now/)!;
  assertEquals((await run(["ipcrm", "-m", id!])).code, 0);
});
