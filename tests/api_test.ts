import { assert, assertEquals } from "@std/assert";
import { attach, Image } from "../mod.ts";
import { built, TempDir } from "./support.ts";
import { imagesOf, Target } from "./target.ts";

function launch(dir: TempDir, program: string, ...args: string[]): Target {
  return Target.launch([built(`tests/${program}`), ...args], { dir: dir.join("ckpt") });
}

Deno.test("ckpt_defer() lets requests wait until the last ckpt_allow()", async () => {
  await using dir = await TempDir.make();
  await using target = launch(dir, "api_defer");
  await target.waitFor("READY\n");
  await target.waitUntilAsleep();
  Deno.kill(target.pid, "SIGUSR2");
  Deno.kill(target.pid, "SIGUSR2");
  await target.send("first\n");
  await target.waitFor("still deferred\n");
  assertEquals(imagesOf(target.job), []);
  await target.send("last\n");
  await target.waitFor("allowed\n");
  assertEquals(imagesOf(target.job).length, 1);
  await target.kill();
  await using again = Target.restart(target.job);
  await again.waitFor("restarted\n");
  await again.send("go\n");
  await again.succeed();
});

Deno.test("job.checkpoint() waits while the program defers, and gives the image", async () => {
  await using dir = await TempDir.make();
  await using target = launch(dir, "api_defer");
  await target.waitFor("READY\n");
  await using job = await attach(target.pid);
  const image = job.checkpoint();
  await target.send("first\n");
  await target.waitFor("still deferred\n");
  await target.send("last\n");
  assertEquals((await image).number, 1);
  await target.waitFor("allowed\n");
  await target.send("go\n");
  await target.succeed();
});

Deno.test("no image shows a program between ckpt_defer() and ckpt_allow()", async () => {
  await using dir = await TempDir.make();
  await using target = launch(dir, "api_defer", "race");
  await target.waitFor("READY\n");
  for (let i = 0; i < 20; i++) await target.checkpoint();
  await target.send("go\n");
  await target.succeed();
  for (const image of imagesOf(target.job)) {
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  }
});

Deno.test("hooks run around every checkpoint, in their order", async () => {
  await using dir = await TempDir.make();
  await using target = launch(dir, "api_hooks");
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.send("self\n");
  await target.waitFor("checkpoint gave 0\n");
  await target.send("log\n");
  const round = "before-b before-a after-a after-b ";
  await target.waitFor(`${round}${round}\n`);
  await target.send("go\n");
  await target.succeed();

  await using again = Target.restart(image);
  await again.send("self\n");
  await again.waitFor("checkpoint gave 0\n");
  await again.send("log\n");
  await again.waitFor(`before-b before-a restarted-a restarted-b ${round}\n`);
  await again.kill();

  await using own = Target.restart(imagesOf(target.job).at(-1)!);
  await own.waitFor("checkpoint gave 1\n");
  await own.send("log\n");
  await own.waitFor(`${round.slice(0, 18)}restarted-a restarted-b \n`);
  await own.send("go\n");
  await own.succeed();
});

for (const force of ["", "pagemap"]) {
  const how = force ? " without PAGEMAP_SCAN" : "";
  Deno.test(`ckpt_exclude() leaves memory out of images${how}`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/api_exclude")], {
      dir: dir.join("ckpt"),
      env: { CKPT_FORCE: force },
    });
    await target.waitFor("READY\n");
    let image = await target.checkpoint();
    await target.send("go\n");
    await target.succeed();
    for (let level = 0; level < 2; level++) {
      await (await Image.open(image)).verify();
      await using again = Target.restart(image);
      await again.ping();
      image = await again.checkpoint();
      await again.send("go\n");
      await again.succeed();
    }
    assert(image.endsWith("000003.ckpt"));
  });
}
