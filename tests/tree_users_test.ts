import { assertEquals, assertMatch } from "@std/assert";
import { Image } from "../mod.ts";
import { built, isRoot, TempDir, testUnless } from "./support.ts";
import { coresOf, Target } from "./target.ts";

const obstacle = !isRoot && "only root can have workers that are another user's";
const NOBODY = 65534;
const options = { options: ["--any-owner"] };

async function launched(dir: TempDir): Promise<Target> {
  const target = Target.launch([built("tests/tree_users")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  return target;
}

testUnless(
  obstacle,
  "restart() brings back workers that are another user's, again and again",
  async () => {
    await using dir = await TempDir.make();
    await using first = await launched(dir);
    let image = await first.checkpoint();
    await first.kill();
    for (let i = 0; i < 2; i++) {
      await using target = Target.restart(image, options);
      await target.ping();
      image = await target.checkpoint();
      await target.kill();
    }
    await using last = Target.restart(image, options);
    await last.send("go\n");
    await last.succeed();
  },
);

testUnless(
  obstacle,
  "restart() brings back processes that have given root's rights up for a while, whose image is root's",
  async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/tree_users"), "a while"], {
      dir: dir.join("ckpt"),
    });
    await first.waitFor("READY\n");
    await first.checkpoint();
    const image = await first.checkpoint();
    await first.kill();
    for (const path of [image, ...coresOf(image)]) assertEquals(Deno.statSync(path).uid, 0);
    await using target = Target.restart(image);
    await target.ping();
    await target.checkpoint();
    await target.send("go\n");
    await target.succeed();
  },
);

testUnless(obstacle, "checkpoint() lets workers that are another user's go on", async () => {
  await using dir = await TempDir.make();
  await using target = await launched(dir);
  await target.checkpoint();
  await target.send("go\n");
  await target.succeed();
});

testUnless(
  obstacle,
  "what another user's worker has written is its own, in a closed directory, and root trusts it on request alone",
  async () => {
    await using dir = await TempDir.make();
    await using target = await launched(dir);
    const image = await target.checkpoint();
    await target.kill();
    const cores = coresOf(image).map((core) => Deno.statSync(core));
    assertEquals(cores.map(({ uid }) => uid).sort(), [0, NOBODY]);
    for (const { memory } of (await Image.open(image)).processes) {
      const inherited = memory.reduce((sum, group) => sum + group.inherited, 0);
      assertEquals(inherited, 0, "it was shown none of root's memory");
    }
    assertEquals(Deno.statSync(image).mode! & 0o7777, 0o700);
    assertEquals(Deno.statSync(`${image}/files`).mode! & 0o7777, 0o700);
    await using refused = Target.restart(image);
    assertEquals((await refused.status).code, 1);
    assertMatch(await refused.stderr.text, /\/\d+\.core belongs to user 65534, not to you/);
  },
);
