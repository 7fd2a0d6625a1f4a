import { assert, assertEquals, assertMatch } from "@std/assert";
import { jobs } from "../mod.ts";
import { CoreEditor } from "./edit_core.ts";
import { roundtrips } from "./roundtrip.ts";
import { built, run, TempDir, testUnless } from "./support.ts";
import { coreOf, Target, userObstacle, type Who } from "./target.ts";

const program = built("tests/process_clocks");
const AHEAD = 1_000_000; // seconds: eleven days

roundtrips([{ does: "lets clocks go on", program: "process_clocks" }]);

/** As from a boot whose clocks were ahead of this one's. */
async function makeAhead(image: string): Promise<void> {
  const core = await CoreEditor.open(coreOf(image));
  for (const clock of ["monotonic_ns", "boottime_ns"]) {
    core.addToImage(clock, BigInt(AHEAD) * 1_000_000_000n);
  }
  await core.save();
}

/** An image of another boot, of a program that expects to be there. */
async function imageOfAnotherBoot(dir: TempDir, as: Who): Promise<string> {
  await using first = Target.launch([program, String(AHEAD)], { dir: dir.join("ckpt"), as });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  await makeAhead(image);
  return image;
}

async function lasts(as: Who): Promise<void> {
  await using dir = await TempDir.make();
  let image = await imageOfAnotherBoot(dir, as);
  // Once more, out of a restarted program: its image has its clocks, and knows whose process it is of.
  for (const options of [[], ["--pid=namespace"]]) {
    const env = { CKPT_FORCE: options.length ? "vdso" : "" };
    await using again = Target.restart(image, { as, options, env });
    await again.ping();
    image = await again.checkpoint();
    const [job] = (await jobs(dir.join("ckpt"))).filter((job) => job.name === "job");
    assertEquals(job?.pid, again.programPid);
    const refused = await run([built("restart"), image]);
    assertMatch(refused.stderr, /still runs/);
    await again.kill();
    assertEquals(again.stderr.text, "");
  }
  await using last = Target.restart(image, { as });
  await last.send("go\n");
  await last.succeed();
}

Deno.test("restart() lets the clocks of another boot go on", () => lasts("self"));
testUnless(
  userObstacle,
  "restart() by an ordinary user lets the clocks of another boot go on",
  () => lasts("user"),
);

Deno.test("restart() --clocks=machine warns when clocks go back", async () => {
  await using dir = await TempDir.make();
  const image = await imageOfAnotherBoot(dir, "self");
  await using again = Target.restart(image, { options: ["--clocks=machine"] });
  await again.ping();
  await again.waitForError(/^restart: .*clocks that count from the boot go back by \d+ s/);
  await again.send("go\n");
  const { code } = await again.end();
  assertEquals(code, 1);
  assert(again.stderr.text.includes("now >= before[i] + ahead"), again.stderr.text);
});

Deno.test("restart() --pid=new lets timers follow their threads", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/timer_kinds")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  // It lives on: none of its ids is free.
  await using again = Target.restart(image, { options: ["--pid=new"] });
  await again.send("go\n");
  await again.succeed();
  await first.kill();
});
