import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { processesOf } from "./process.ts";
import { eventually, TempDir } from "./support.ts";
import { everyone, Target } from "./target.ts";

/** Of a program that has started an orphan: all are there. */
async function start(dir: TempDir, as: "self" | "user", rest: string): Promise<Target> {
  const command = ["sh", "-c", `(sleep 1005 & echo $!); echo READY; ${rest}`];
  const target = Target.launch(command, { dir: dir.join("ckpt"), as });
  await target.waitFor("READY\n");
  const orphan = parseInt(target.stdout.text);
  await eventually("the orphan runs", () => {
    return Deno.readTextFileSync(`/proc/${orphan}/comm`) === "sleep\n";
  });
  return target;
}

for (const as of everyone) {
  Deno.test(`Target.end() of a program that does not end says what all are at, and kills them (${as})`, async () => {
    await using dir = await TempDir.make();
    await using target = await start(dir, as, "read line");
    await target.waitUntilAsleep();
    const { message } = await assertRejects(() => target.end(0), Error);
    assertMatch(message, /^Waited in vain: the program's end\nstdout "\d+\nREADY\n", stderr ""\n/);
    assertMatch(
      message,
      /^process \d+, child of \d+: sh -c .*\n {2}\d+ sh: S \(sleeping\), wchan /m,
    );
    assertMatch(
      message,
      /^process \d+, child of \d+: sleep 1005\n {2}\d+ sleep: S \(sleeping\), /m,
    );
    assertEquals((await target.end()).signal, "SIGKILL");
    await eventually("all are gone", () => processesOf(dir.path).length === 0);
  });

  Deno.test(`Target.end() of a program whose output an orphan keeps open says who that is (${as})`, async () => {
    await using dir = await TempDir.make();
    await using target = await start(dir, as, "");
    assertEquals((await target.status).code, 0);
    const { message } = await assertRejects(() => target.end(0), Error);
    assertMatch(message, /^Waited in vain: the end of the last one that may write\n/);
    assertMatch(message, /\nprocess \d+, child of \d+: sleep 1005\n.*$/);
    await target.end();
    await eventually("it is gone", () => processesOf(dir.path).length === 0);
  });
}
