/**
 * Roundtrips: a test program is launched, checkpointed, killed and restarted, and must find everything as it
 * was. One row of a table gives a handful of tests.
 *
 * @module
 */
import { attach } from "../mod.ts";
import { isRoot, TempDir, testUnless } from "./support.ts";
import { everyone, Target, type TargetOptions, userObstacle } from "./target.ts";
import { built } from "./support.ts";

export interface Row {
  /** Ends the sentence that begins with "restart()". */
  does: string;
  /** In tests/programs. */
  program: string;
  args?: (dir: TempDir) => string[];
  /** What makes the program look: words on standard input (default "go"), or a signal. */
  go?: string | { signal: Deno.Signal };
  /** The program answers pings (default), so that it can be asked whether it is back. */
  pings?: boolean;
  /** The status with which it ends, 0 when none is given. */
  status?: number;
  /** It spins and never sleeps. */
  spins?: boolean;
  /** Its own end changes what an image of it needs. */
  endsForGood?: boolean;
  /** Only root may look into it. */
  undumpable?: boolean;
  /** Why it cannot be tried here, false when it can. */
  obstacle?: string | false;
  /** Also with the page finder for old kernels. */
  pagemap?: boolean;
  /** Also without kcmp. */
  fcntl?: boolean;
}

async function settle(target: Target, row: Row): Promise<void> {
  await target.waitFor("READY\n");
  if (!row.spins) await target.waitUntilAsleep();
}

async function finish(target: Target, row: Row): Promise<void> {
  if (typeof row.go === "object") {
    // From the moment that the process exists, `restart` keeps signals for it.
    await target.waitUntilStarted();
    Deno.kill(target.pid, row.go.signal);
  } else {
    await target.send(row.go ?? "go\n");
  }
  await target.succeed(row.status);
}

function launch(row: Row, dir: TempDir, options: Partial<TargetOptions>): Target {
  const args = row.args?.(dir) ?? [];
  return Target.launch([built(`tests/${row.program}`), ...args], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
    ...options,
  });
}

/** The image of a process that is asked. */
async function saved(pid: number): Promise<string> {
  await using job = await attach(pid);
  return (await job.checkpoint()).path;
}

/** Checkpoint by either signal, go on; then what went on is brought back from its image as well. */
async function carryOn(row: Row): Promise<void> {
  await using dir = await TempDir.make();
  await using target = launch(row, dir, {});
  await settle(target, row);
  await target.checkpoint();
  const image = row.undumpable && !isRoot ? await target.checkpoint() : await saved(target.pid);
  await finish(target, row);
  if (row.endsForGood) return;
  await using again = Target.restart(image);
  await finish(again, row);
}

/** Checkpoint, kill, restart; the restarted one is treated the same way, `depth` times in all. */
async function killAndRestart(
  row: Row,
  depth: number,
  options: Partial<TargetOptions>,
): Promise<void> {
  await using dir = await TempDir.make();
  await using first = launch(row, dir, options);
  await settle(first, row);
  let image = await first.checkpoint();
  await first.kill();
  for (let level = 1; level < depth; level++) {
    await using target = Target.restart(image, options);
    await target.ping();
    image = await target.checkpoint();
    await target.kill();
  }
  await using last = Target.restart(image, options);
  await finish(last, row);
}

/** Defines the tests of a table. */
export function roundtrips(rows: Row[]): void {
  for (const row of rows) {
    const depth = (row.pings ?? true) ? 2 : 1;
    const obstacle = row.obstacle ?? false;
    testUnless(
      obstacle,
      `checkpoint() lets the program go on: restart() ${row.does}`,
      () => carryOn(row),
    );
    testUnless(obstacle, `restart() ${row.does}`, () => killAndRestart(row, 1, {}));
    if (depth > 1) {
      testUnless(
        obstacle,
        `restart() of a restarted program ${row.does}`,
        () => killAndRestart(row, depth, {}),
      );
    }
    testUnless(
      obstacle || userObstacle,
      `restart() by an ordinary user ${row.does}`,
      () => killAndRestart(row, depth, { as: "user" }),
    );
    if (row.pagemap) {
      Deno.test(
        `restart() of an image made without PAGEMAP_SCAN ${row.does}`,
        () => killAndRestart(row, depth, { env: { CKPT_FORCE: "pagemap" } }),
      );
    }
    if (row.fcntl) {
      for (const as of everyone) {
        Deno.test(
          `restart() of an image made as ${as} without kcmp ${row.does}`,
          () => killAndRestart(row, depth, { as, env: { CKPT_FORCE: "fcntl" } }),
        );
      }
    }
  }
}
