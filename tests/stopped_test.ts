import { attach } from "../mod.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { descendants, stateOf } from "./process.ts";
import { built, eventually, run, TempDir, testUnless } from "./support.ts";
import { asUser, everyone, imagesOf, Target, traceObstacle, type Who } from "./target.ts";

const SIGNALS = { SIGSTOP: 19, SIGTSTP: 20 } as const;

/** Runs tests/programs/stopped.c until its child is stopped. */
async function start(dir: TempDir, as: Who, signal: keyof typeof SIGNALS) {
  const command = [built("tests/stopped"), String(SIGNALS[signal])];
  const target = Target.launch(command, { dir: dir.join("ckpt"), cwd: dir.path, as });
  await target.waitFor("READY\n");
  const pid = Number(target.stdout.text.match(/^PROCESS (\d+)$/m)![1]);
  await isStopped(pid);
  return { target, pid };
}

/** Once nobody holds it any more, a process still has to get to its stop. */
async function isStopped(...pids: number[]): Promise<void> {
  await eventually("it is stopped", () => pids.every((pid) => stateOf(pid) === "T"));
}

const RECVMSG = 47;

/** The number of the system call that a process is in. */
function callOf(pid: number): number {
  return Number(Deno.readTextFileSync(`/proc/${pid}/syscall`).split(" ")[0]);
}

function statusOf(pid: number): string {
  return Deno.readTextFileSync(`/proc/${pid}/status`);
}

function nameOf(pid: number): string {
  return Deno.readTextFileSync(`/proc/${pid}/comm`).trim();
}

/** The core of a process in an image that is being written. */
function coreOf(pid: number, job: string): string | undefined {
  try {
    const hidden = [...Deno.readDirSync(job)].find(({ name }) => name.startsWith(".ckpt-"));
    const cores = hidden ? [...Deno.readDirSync(`${job}/${hidden.name}`)] : [];
    return cores.find(({ name }) => name === `${pid}.core`)?.name;
  } catch {
    return undefined; // not yet there, or not any more
  }
}

async function save(pid: number, as: Who, ...options: string[]) {
  return await run([...asUser(as), built("ckpt"), "save", ...options, String(pid)]);
}

for (const as of everyone) {
  for (const signal of ["SIGSTOP", "SIGTSTP"] as const) {
    const what = `a process that ${signal} has stopped, as ${as}`;

    testUnless(
      traceObstacle(as),
      `checkpoint() of ${what}, leaves it so, and its parent hears nothing`,
      async () => {
        await using dir = await TempDir.make();
        const { target, pid } = await start(dir, as, signal);
        await using _ = target;
        const turns = await Deno.readFile(dir.join("turns"));
        for (let number = 1; number <= 3; number++) {
          const { code, stderr } = await save(pid, as);
          assertEquals([code, stderr], [0, ""]);
          assertEquals(imagesOf(target.job).length, number);
          await isStopped(pid);
        }
        assertEquals(await Deno.readFile(dir.join("turns")), turns);
        await target.send("go\n");
        await target.succeed();
      },
    );

    testUnless(traceObstacle(as), `restart() of ${what}, brings it back stopped`, async () => {
      await using dir = await TempDir.make();
      const { target, pid } = await start(dir, as, signal);
      await using _ = target;
      let result = await save(pid, as, "--kill");
      assertEquals([result.code, result.stderr], [0, ""]);
      assertEquals(stateOf(pid), "Z"); // for its parent to wait for
      await target.kill();
      const turns = await Deno.readFile(dir.join("turns"));
      const image = imagesOf(target.job).at(-1)!;
      async function again() {
        const restarted = Target.restart(image, { as });
        await restarted.waitUntilStarted();
        // After ^Z, so does `restart`, for its shell.
        const pids = [restarted.programPid!, ...(signal === "SIGTSTP" ? [restarted.pid] : [])];
        await isStopped(...pids);
        return restarted;
      }
      await using second = await again();
      result = await save(second.programPid!, as);
      assertEquals([result.code, result.stderr], [0, ""]);
      await isStopped(second.programPid!);
      result = await save(second.programPid!, as, "--kill");
      assertEquals([result.code, result.stderr], [0, ""]);
      assertEquals(imagesOf(target.job).length, 3);
      if (signal === "SIGTSTP") Deno.kill(second.pid, "SIGCONT");
      await second.end();
      assertEquals(await Deno.readFile(dir.join("turns")), turns);
      await using last = await again();
      assertEquals(await Deno.readFile(dir.join("turns")), turns);
      // As a shell does for `fg`: to the group.
      const pids = [last.programPid!, ...descendants(last.programPid!), last.pid];
      for (const pid of pids) Deno.kill(pid, "SIGCONT");
      await last.succeed();
    });
  }
}

testUnless(
  traceObstacle("self"),
  "kill -12 to a stopped program makes an image when it goes on",
  async () => {
    await using dir = await TempDir.make();
    const { target, pid } = await start(dir, "self", "SIGSTOP");
    await using _ = target;
    Deno.kill(pid, "SIGUSR2");
    const { code, stderr } = await save(pid, "self");
    assertEquals([code, stderr], [0, ""]);
    assertEquals(imagesOf(target.job).length, 1);
    await target.send("go\n");
    await target.succeed();
    assertEquals(imagesOf(target.job).length, 2);
  },
);

testUnless(
  traceObstacle("self"),
  "checkpoint() of a program that is stopped after ckpt_defer() says so, and leaves it stopped",
  async () => {
    await using dir = await TempDir.make();
    const source = `#include <signal.h>
    #include <stdio.h>
    #include <unistd.h>
    #include "ckpt.h"
    int main(void) {
      ckpt_defer();
      printf("READY\\n");
      fflush(stdout);
      raise(SIGSTOP);
      printf("RUNS\\n");
      fflush(stdout);
      ckpt_allow();
      pause();
    }`;
    await Deno.writeTextFile(dir.join("defers.c"), source);
    const include = `-I${built("../native/include")}`;
    const made = await run(["gcc", include, "-o", dir.join("defers"), dir.join("defers.c")]);
    assertEquals(made.code, 0, made.stderr);
    await using target = Target.launch([dir.join("defers")], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
    });
    await target.waitFor("READY\n");
    await isStopped(target.pid);
    const { code, stderr } = await save(target.pid, "self");
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /it is stopped after ckpt_defer\(\) and before ckpt_allow\(\) \(let it go on/,
    );
    await isStopped(target.pid);
    assertEquals(target.stdout.text, "READY\n");
    Deno.kill(target.pid, "SIGCONT");
    await target.waitFor("RUNS\n");
  },
);

testUnless(
  traceObstacle("self"),
  "save --kill of stopped processes with threads does not wait for their ends in vain",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/tree_stopped")], { dir: dir.join("ckpt") });
    await target.waitFor("READY\n");
    const { code, stdout, stderr } = await save(target.pid, "self", "--kill", "--json");
    assertEquals([code, stderr], [0, ""]);
    const { pauseMs } = JSON.parse(stdout);
    // As long it waits for one that does not end.
    assert(pauseMs < 5000, `${pauseMs} ms`);
  },
);

for (const as of everyone) {
  Deno.test(`checkpoint() as ${as} leaves it to a parent to hear that a child goes on, also with other ids`, async () => {
    await using dir = await TempDir.make();
    const command = [built("tests/tree_continued")];
    await using target = Target.launch(command, { dir: dir.join("ckpt"), as });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.send("go\n");
    await target.succeed();
    for (const pid of ["namespace", "new"]) {
      await using again = Target.restart(image, { as, options: [`--pid=${pid}`] });
      await again.send("go\n");
      await again.succeed();
    }
  });

  Deno.test(`checkpoint() as ${as} of a process that is continued meanwhile saves one that goes on`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/tree_late")], { dir: dir.join("ckpt"), as });
    await target.waitFor("READY\n");
    const [, stopped, late] = target.stdout.text.match(/^PROCESSES (\d+) (\d+)$/m)!.map(Number);
    await using job = await attach(target.pid);
    const saved = job.checkpoint();
    await eventually("the stopped one is in libckpt's handler", () => {
      const status = Deno.readTextFileSync(`/proc/${stopped}/status`);
      const blocked = BigInt(`0x${/^SigBlk:\s*(\w+)$/m.exec(status)![1]}`);
      return (blocked >> 31n & 1n) === 1n; // the signal that asks
    });
    Deno.kill(stopped!, "SIGCONT");
    Deno.kill(late!, "SIGUSR1");
    const { path } = await saved;
    await target.send("go\n");
    await target.succeed();
    await using again = Target.restart(path, { as });
    await again.send("go\n");
    await again.succeed();
  });

  Deno.test(`checkpoint() as ${as} while one process stops and continues another loses none of it`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/tree_stops")], { dir: dir.join("ckpt"), as });
    await target.waitFor("READY\n");
    await using job = await attach(target.pid);
    const images: string[] = [];
    for (let number = 1; number <= 30; number++) images.push((await job.checkpoint()).path);
    await target.send("go\n");
    await target.succeed();
    for (const image of images.slice(-10)) {
      await using again = Target.restart(image, { as });
      await again.send("go\n");
      await again.succeed();
    }
  });
}

Deno.test("checkpoint() goes on when one of the processes is stopped in the middle of it", async () => {
  await using dir = await TempDir.make();
  const script = `exec 3<&0; ${built("tests/big_memory")} 200 <&3 & wait $!`;
  await using target = Target.launch(["bash", "-c", script], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  await using job = await attach(target.pid);
  const [child] = descendants(target.pid);
  await Deno.mkdir(target.job, { recursive: true });
  const written = job.checkpoint();
  await eventually("it is written", () => {
    return [...Deno.readDirSync(target.job)].some(({ name }) => name.startsWith(".ckpt-"));
  });
  Deno.kill(child!, "SIGSTOP");
  const { path } = await written;
  await isStopped(child!);
  await target.kill();
  await using again = Target.restart(path);
  await again.send("go\n");
  await again.succeed();
});

Deno.test("checkpoint() during which a grandchild is stopped adds no SIGCHLD", async () => {
  await using dir = await TempDir.make();
  const command = [built("tests/tree_far"), "200"];
  await using target = Target.launch(command, { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const grandchild = Number(target.stdout.text.match(/^GRANDCHILD (\d+)$/m)![1]);
  await using job = await attach(target.pid);
  const written = job.checkpoint();
  await eventually("it is written", () => coreOf(grandchild, target.job) !== undefined);
  Deno.kill(grandchild, "SIGSTOP");
  await written;
  await eventually("it is stopped", () => stateOf(grandchild) === "T");
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() that ends its program ends all of it, whoever has been killed meanwhile", async () => {
  await using dir = await TempDir.make();
  const script = `exec 3<&0; sleep 1000 & ${built("tests/big_memory")} 200 <&3 & wait`;
  await using target = Target.launch(["bash", "-c", script], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const pids = descendants(target.pid);
  const sleeper = pids.find((pid) => nameOf(pid) === "sleep")!;
  await using job = await attach(target.pid);
  const written = job.checkpoint({ kill: true });
  // It waits for the others when all of its own is in the image.
  await eventually(
    "it is written",
    () => coreOf(sleeper, target.job) !== undefined && callOf(sleeper) === RECVMSG,
  );
  Deno.kill(sleeper, "SIGKILL");
  await written;
  assertEquals(pids.filter((pid) => !["Z", undefined].includes(stateOf(pid))), []);
});

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  Deno.test(`ckpt save that ${signal} ends leaves a stopped program as it was, and an image`, async () => {
    await using dir = await TempDir.make();
    const command = [built("tests/big_memory"), "200"];
    await using target = Target.launch(command, { dir: dir.join("ckpt") });
    await target.waitFor("READY\n");
    const { pid } = target;
    Deno.kill(pid, "SIGSTOP");
    await eventually("it is stopped", () => stateOf(pid) === "T");
    const saving = new Deno.Command(built("ckpt"), { args: ["save", String(pid)], stdout: "null" });
    const child = saving.spawn();
    await eventually("it is written", () => coreOf(pid, target.job) !== undefined);
    child.kill(signal);
    await child.status;
    // In its handler all are blocked.
    await eventually(
      "it has left its handler",
      () => stateOf(pid) === "T" && /^SigBlk:\t0+$/m.test(statusOf(pid)),
    );
    assertEquals(imagesOf(target.job).length, 1);
    assertMatch(statusOf(pid), /^TracerPid:\t0$/m);
    Deno.kill(pid, "SIGCONT");
    await target.send("go\n");
    await target.succeed();
  });
}
