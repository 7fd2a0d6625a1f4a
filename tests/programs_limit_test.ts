import { assert, assertEquals, assertRejects } from "@std/assert";
import { launch } from "../mod.ts";
import { describeProcess, processesOf } from "./process.ts";
import { withinLimit } from "./programs_limit.ts";
import { sh } from "./programs_prepare.ts";
import { eventually, TempDir } from "./support.ts";

/** One that waits for another, an orphan, and one that is stopped. */
const COMMAND = "(sleep 1001 &); sh -c 'kill -STOP $$' & sleep 1002";
const EXPECTED = [
  /^process \d+, child of \d+: \S*sh -c \(sleep 1001 &\).*\n {2}\d+ sh: S \(sleeping\), wchan \S+, syscall /m,
  /^process \d+, child of \d+: sleep 1001\n {2}\d+ sleep: S \(sleeping\), wchan \S+, syscall /m,
  /^process \d+, child of \d+: sh -c kill -STOP \$\$\n {2}\d+ sh: T \(stopped\), wchan \S+, syscall /m,
  /^process \d+, child of \d+: sleep 1002\n {2}\d+ sleep: S \(sleeping\), wchan \S+, syscall /m,
];

Deno.test("a program of the matrix that hangs fails with what its processes are at, and they are gone", async () => {
  await using dir = await TempDir.make();
  const isComplete = (words: string) => EXPECTED.every((expected) => expected.test(words));
  const limit = Promise.withResolvers<void>();
  async function row() {
    const streams = { stdin: "null", stdout: "null", stderr: "null" } as const;
    const place = { cwd: dir.path, dir: dir.join("ckpt") };
    const job = await launch(["sh", "-c", COMMAND], { ...streams, ...place });
    await eventually("all stand where they are expected", () => {
      return isComplete(processesOf(dir.path).map(describeProcess).join("\n"));
    });
    limit.resolve();
    await job.status;
    // Started once the others are gone.
    await sh("sleep 1003", dir.path);
  }
  const { message } = await assertRejects(
    () => withinLimit(row(), { work: dir.path, limit: limit.promise }),
    Error,
    "is not done in time:\nprocess ",
  );
  assert(isComplete(message), message);
  assertEquals(processesOf(dir.path), []);
});

Deno.test("a program of the matrix that fails leaves no process, and one that is done in time is not disturbed", async () => {
  await using dir = await TempDir.make();
  const never = new Promise<void>(() => {});
  const row = sh("sleep 1004 > out 2>&1 & exit 7", dir.path);
  await assertRejects(() => withinLimit(row, { work: dir.path, limit: never }), Error, "failed");
  assertEquals(processesOf(dir.path), []);
  const other = sh("echo done", dir.path);
  assertEquals(await withinLimit(other, { work: dir.path, limit: never }), "done\n");
});
