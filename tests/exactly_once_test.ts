import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { built, run, TempDir } from "./support.ts";
import { Target } from "./target.ts";

const ROUNDS = 50;

/** What the program writes when nobody disturbs it. */
async function undisturbed(dir: TempDir, count: number): Promise<string> {
  const [appended, buffered] = [dir.join("appended"), dir.join("buffered")];
  const { code } = await run([built("tests/recorder"), appended, buffered, String(count), "hurry"]);
  const text = await Deno.readTextFile(appended);
  assertEquals([code, text === await Deno.readTextFile(buffered)], [0, true]);
  return text;
}

async function size(path: string): Promise<number> {
  return (await Deno.stat(path)).size;
}

Deno.test(`a program that is killed and restarted ${ROUNDS} times writes each record once`, async () => {
  await using dir = await TempDir.make();
  await using there = await TempDir.make();
  const files = [dir.join("appended"), dir.join("buffered")];
  // More than it can write in these rounds: the last one hurries to the end.
  const count = 200_000;
  const wanted = undisturbed(there, count);
  await using first = Target.launch([built("tests/recorder"), ...files, String(count)], {
    dir: dir.join("ckpt"),
  });
  await first.waitFor("READY\n");
  let image = await first.checkpoint();
  await first.kill();
  let lost = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await using target = Target.restart(image, { options: ["--quiet"] });
    await target.waitUntilStarted();
    await delay(Math.random() * 8);
    // Every third is killed without an image, and its work is done again.
    if (round % 3) image = await target.checkpoint();
    const before = await size(files[0]!);
    await delay(Math.random() * 4);
    await target.kill();
    lost += await size(files[0]!) - before;
  }
  assert(lost > 0, "nothing was ever written twice");
  await using last = Target.restart(image, { options: ["--quiet"] });
  await last.waitUntilStarted();
  Deno.kill(last.pid, "SIGUSR1"); // `restart` passes it on
  await last.succeed();
  for (const path of files) assert(await Deno.readTextFile(path) === await wanted, path);
});
