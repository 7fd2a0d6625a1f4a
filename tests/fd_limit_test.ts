import { assertEquals, assertMatch } from "@std/assert";
import { built, run, TempDir } from "./support.ts";
import { everyone, Target, type Who } from "./target.ts";

/** The words in front of a command for a soft and a hard limit on descriptors. */
function limit(soft: number, hard: number): string[] {
  return ["prlimit", `--nofile=${soft}:${hard}`];
}

/** An image of a program that has `count` descriptors open. */
async function save(dir: TempDir, as: Who, options: { count: number; limit: string[] }) {
  const program = [built("tests/fd_limit"), String(options.count), dir.join("file")];
  await using target = Target.launch([...options.limit, ...program], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
    as,
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  return image;
}

for (const as of everyone) {
  Deno.test(`restart() brings back all descriptors that the soft limit allows, as ${as}`, async () => {
    await using dir = await TempDir.make();
    const image = await save(dir, as, { count: 256, limit: limit(256, 4096) });
    await using again = Target.restart(image, { as });
    await again.send("go\n");
    await again.succeed();
  });
}

for (const as of everyone) {
  Deno.test(`restart() brings back nearly all descriptors that the hard limit allows, under that limit, as ${as}`, async () => {
    await using dir = await TempDir.make();
    const image = await save(dir, as, { count: 250, limit: limit(256, 256) });
    await using again = Target.restart(image, { as, within: limit(256, 256) });
    await again.send("go\n");
    await again.succeed();
  });
}

Deno.test("restart() names the limit when it leaves no room", async () => {
  await using dir = await TempDir.make();
  const image = await save(dir, "self", { count: 256, limit: limit(256, 4096) });
  const command = [...limit(256, 256), built("restart"), image];
  const { code, stderr } = await run(command);
  assertEquals(code, 1);
  assertMatch(stderr, /no descriptor from 256 on is free: .* \(see ulimit -Hn\)/);
});
