import { basename } from "@std/path";
import { delay } from "@std/async/delay";
import { attach } from "../mod.ts";
import { built, eventually, run, TempDir } from "./support.ts";
import { stateOf } from "./process.ts";
import { buildForMusl, muslObstacle } from "./musl.ts";
import { imagesOf, Target } from "./target.ts";

/** How long the timed waits of the programs take. */
const WAIT_MS = 2000;

const families = [
  "sleeps",
  "polls",
  "transfers",
  "sockets",
  "locks",
  "signals",
  "machine",
  "registers",
  "children",
];

/** One program of a family, and the calls that its table holds. */
interface Waits {
  program: string;
  calls: string[];
  /** Their objects belong to the machine, not to the process. */
  onlyCarryOn: string[];
}

/** At its beginning, in the middle and around its end: no two runs take the same moments. */
function momentsOfWait(): number[] {
  return [Math.random() * 0.1, 0.4 + Math.random() * 0.3, 0.97 + Math.random() * 0.06]
    .map((part) => part * WAIT_MS);
}

/** Waits until every thread of the program stands in a system call. */
async function untilAllSleep(target: Target): Promise<void> {
  await target.waitUntilStarted();
  const pid = target.programPid!;
  await eventually("all threads sleep", () => {
    const tids = [...Deno.readDirSync(`/proc/${pid}/task`)].map((entry) => Number(entry.name));
    return tids.every((tid) => stateOf(tid) === "S");
  });
}

/** Each finds what the one before has put back. The second is asked for by the signal that no program sees. */
async function saveOften(target: Target): Promise<string> {
  const start = performance.now();
  await using job = await attach(target.pid);
  let image = "";
  for (const [i, moment] of momentsOfWait().entries()) {
    await delay(Math.max(0, start + moment - performance.now()));
    if (i === 0) await untilAllSleep(target);
    image = i === 1 ? (await job.checkpoint()).path : await target.checkpoint();
  }
  return image;
}

async function finish(target: Target): Promise<void> {
  await target.send("go\n");
  await target.succeed();
}

function launch(program: string, args: string[], dir: TempDir): Target {
  return Target.launch([program, ...args], { dir: dir.join("ckpt"), cwd: dir.path });
}

async function carriesOn(program: string, args: string[]): Promise<void> {
  await using dir = await TempDir.make();
  await using target = launch(program, args, dir);
  await target.waitFor("READY\n");
  await saveOften(target);
  await finish(target);
}

/** In the same wait: killed, brought back, and saved again. */
async function comesBack(program: string, args: string[]): Promise<void> {
  await using dir = await TempDir.make();
  await using first = launch(program, args, dir);
  await first.waitFor("READY\n");
  await untilAllSleep(first);
  await first.checkpoint();
  await delay(Math.random() * WAIT_MS);
  const image = await first.checkpoint();
  await first.kill();
  await using again = Target.restart(image);
  await untilAllSleep(again);
  await again.checkpoint();
  await finish(again);
}

async function waitsOf(program: string): Promise<Waits> {
  const { stdout } = await run([program, "list"]);
  const words = stdout.trim().split("\n").map((line) => line.split(" "));
  return {
    program,
    calls: words.filter(([, where]) => !where).map(([name]) => name!),
    onlyCarryOn: words.filter(([, where]) => where).map(([name]) => name!),
  };
}

/** At the same time, since most of it is waiting. */
async function inSteps(t: Deno.TestContext, steps: [name: string, fn: () => Promise<void>][]) {
  const passed = await Promise.all(
    steps.map(([name, fn]) =>
      t.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false })
    ),
  );
  if (passed.includes(false)) throw new Error("Some waits were disturbed");
}

async function testWaits(t: Deno.TestContext, programs: string[], test: typeof carriesOn) {
  const all = await Promise.all(programs.map(waitsOf));
  await inSteps(
    t,
    all.flatMap(({ program, calls, onlyCarryOn }) => {
      const alone = test === carriesOn ? [...calls, ...onlyCarryOn] : calls;
      return alone.map((call): [string, () => Promise<void>] => [
        call,
        () => test(program, ["main", call]),
      ]);
    }),
  );
  await inSteps(
    t,
    all.filter(({ calls }) => calls.length > 0).map(({ program }) => [
      `all of ${basename(program)} in other threads`,
      () => test(program, ["second"]),
    ]),
  );
}

const programs = families.map((family) => built(`tests/undisturbed_${family}`));
Deno.test("checkpoint() disturbs no wait", (t) => testWaits(t, programs, carriesOn));
Deno.test("restart() disturbs no wait", (t) => testWaits(t, programs, comesBack));

for (const [what, test] of [["checkpoint()", carriesOn], ["restart()", comesBack]] as const) {
  Deno.test({
    name: `${what} disturbs no wait of a musl program${
      muslObstacle ? ` (skipped: ${muslObstacle})` : ""
    }`,
    ignore: muslObstacle !== false,
    fn: async (t) => {
      await using dir = await TempDir.make();
      const programs = families.map((family) => buildForMusl(`undisturbed_${family}`, dir));
      await testWaits(t, await Promise.all(programs), test);
    },
  });
}

/** How many threads besides the main one are in a system call, by its number. */
function threadsIn(pid: number, number: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].filter(({ name }) =>
    Number(name) !== pid &&
    Deno.readTextFileSync(`/proc/${pid}/task/${name}/syscall`).startsWith(`${number} `)
  ).length;
}

async function endsOneWait(target: Target): Promise<void> {
  await eventually("an image", () => imagesOf(target.job).length > 0);
  await target.waitFor("INTERRUPTED\n");
  await finish(target);
}

for (const call of ["read", "poll"]) {
  Deno.test(`a signal that comes in the middle of a checkpoint ends one ${call}, as it would without`, async () => {
    const FUTEX = 202;
    await using dir = await TempDir.make();
    await using target = launch(built("tests/interrupted"), [call, "late"], dir);
    await target.waitFor("READY\n");
    await untilAllSleep(target);
    Deno.kill(target.pid, "SIGUSR2");
    await eventually("all but the late one are parked", () => threadsIn(target.pid, FUTEX) === 4);
    Deno.kill(target.pid, "SIGALRM");
    Deno.kill(target.pid, "SIGUSR1");
    await endsOneWait(target);
  });
}

/**
 * Stopped, a program gets two signals at once when it continues. One thread may be asked to stop when it is
 * just returning from the handler of the other signal: for a read, not for a poll, that can be told from a wait
 * that the request has ended.
 */
Deno.test("a signal that comes with a request ends one read, as it would without", async () => {
  await using dir = await TempDir.make();
  await using target = launch(built("tests/interrupted"), ["read"], dir);
  await target.waitFor("READY\n");
  await untilAllSleep(target);
  Deno.kill(target.pid, "SIGSTOP");
  await eventually("the program stops", () => stateOf(target.pid) === "T");
  Deno.kill(target.pid, "SIGUSR2");
  Deno.kill(target.pid, "SIGALRM");
  Deno.kill(target.pid, "SIGCONT");
  await endsOneWait(target);
});
