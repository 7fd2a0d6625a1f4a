import { built, eventually, TempDir } from "./support.ts";
import { stateOf } from "./process.ts";
import { imagesOf, Target } from "./target.ts";

/** Checkpoints in one wait: the second one finds what the first one has put back. */
const CHECKPOINTS = 3;

/** Waits until every thread of the program stands in a system call. */
async function untilAllSleep(target: Target): Promise<void> {
  await target.waitUntilStarted();
  const pid = target.programPid!;
  await eventually("all threads sleep", () => {
    const tids = [...Deno.readDirSync(`/proc/${pid}/task`)].map((entry) => Number(entry.name));
    return tids.every((tid) => stateOf(tid) === "S");
  });
}

async function saveOften(target: Target): Promise<string> {
  let image = "";
  for (let i = 0; i < CHECKPOINTS; i++) {
    await untilAllSleep(target);
    image = await target.checkpoint();
  }
  return image;
}

async function finish(target: Target): Promise<void> {
  await target.send("go\n");
  await target.succeed();
}

function launch(args: string[], dir: TempDir): Target {
  return Target.launch([built("tests/undisturbed"), ...args], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
}

async function carriesOn(args: string[]): Promise<void> {
  await using dir = await TempDir.make();
  await using target = launch(args, dir);
  await target.waitFor("READY\n");
  await saveOften(target);
  await finish(target);
}

/** In the same wait: killed, brought back, and saved again. */
async function comesBack(args: string[]): Promise<void> {
  await using dir = await TempDir.make();
  await using first = launch(args, dir);
  await first.waitFor("READY\n");
  const image = await saveOften(first);
  await first.kill();
  await using again = Target.restart(image);
  await untilAllSleep(again);
  await again.checkpoint();
  await finish(again);
}

const calls = [
  "nanosleep",
  "nanosleep_remainder",
  "clock_nanosleep",
  "clock_nanosleep_absolute",
  "usleep",
  "sleep",
  "poll",
  "ppoll",
  "select",
  "pselect",
  "poll_forever",
  "select_forever",
  "read",
  "write",
  "eventfd",
  "flock",
  "fcntl",
  "mutex",
  "mutex_timed",
  "condition",
  "condition_timed",
  "semaphore",
  "semaphore_timed",
  "futex",
  "sigwait",
  "sigtimedwait",
  "sigsuspend",
  "pause",
  "registers",
];
/** Their objects belong to the machine, not to the process. */
const onlyCarriesOn = ["msgrcv", "semop"];

/** At the same time, since most of it is waiting. */
async function inSteps(
  t: Deno.TestContext,
  calls: string[],
  test: (args: string[]) => Promise<void>,
) {
  const passed = await Promise.all(calls.map((call) =>
    t.step({
      name: call,
      fn: () => test(["main", call]),
      sanitizeOps: false,
      sanitizeResources: false,
      sanitizeExit: false,
    })
  ));
  if (passed.includes(false)) throw new Error("Some waits were disturbed");
}

Deno.test("checkpoint() disturbs no wait of the main thread", (t) =>
  inSteps(t, [...calls, ...onlyCarriesOn], carriesOn));
Deno.test("restart() disturbs no wait of the main thread", (t) => inSteps(t, calls, comesBack));
Deno.test("checkpoint() disturbs no waits of other threads", () => carriesOn(["second"]));
Deno.test("restart() disturbs no waits of other threads", () => comesBack(["second"]));

/** Stopped, a program gets two signals at once when it continues: the request first, for its number is lower. */
for (const call of ["read", "poll"]) {
  Deno.test(`a signal that comes with a request ends one ${call}, as it would without`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/interrupted"), call], {
      dir: dir.join("ckpt"),
    });
    await target.waitFor("READY\n");
    await untilAllSleep(target);
    Deno.kill(target.pid, "SIGSTOP");
    await eventually("the program stops", () => stateOf(target.pid) === "T");
    Deno.kill(target.pid, "SIGUSR2");
    Deno.kill(target.pid, "SIGALRM");
    Deno.kill(target.pid, "SIGCONT");
    await eventually("an image", () => imagesOf(target.job).length > 0);
    await target.waitFor("INTERRUPTED\n");
    await target.send("go\n");
    await target.succeed();
  });
}
