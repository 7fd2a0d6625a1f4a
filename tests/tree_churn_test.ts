import { assertEquals } from "@std/assert";
import { attach } from "../mod.ts";
import { built, TempDir } from "./support.ts";
import { everyone, Target, type Who } from "./target.ts";

/** How many images each test makes; more by hand. */
const IMAGES = Number(Deno.env.get("CHURN_IMAGES") ?? "16");
/** Of which every so many ends the program, for a restart. */
const KILLS = 4;

/** Saves a program again and again while it begins processes in every way; its own accounts tell whether all is right. */
async function churn(dir: TempDir, as: Who): Promise<void> {
  const first = Target.launch([built("tests/tree_churn")], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
    as,
  });
  let target = first;
  try {
    await target.waitFor("READY\n");
    for (let number = 1; number <= IMAGES; number++) {
      await using job = await attach(target.programPid!);
      const kill = number % KILLS === 0;
      const { path } = await job.checkpoint({ kill });
      if (!kill) continue;
      await target[Symbol.asyncDispose]();
      assertEquals(target.stderr.text, "");
      target = Target.restart(path, { as });
      await target.ping();
    }
    await target.send("go\n");
    await target.succeed();
    assertEquals(target.stderr.text, "");
  } finally {
    await target[Symbol.asyncDispose]();
  }
}

for (const as of everyone) {
  Deno.test(`checkpoint() at any moment of a program that begins processes in every way, as ${as}`, async () => {
    await using dir = await TempDir.make();
    await churn(dir, as);
  });
}
