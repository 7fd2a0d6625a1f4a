/**
 * Programs that nobody here wrote: each runs once undisturbed, and once with three checkpoints at random
 * moments, each followed by kill -9 and a restart. Every file that the two runs leave must be equal, byte for
 * byte. Servers have clients instead, which know what must be there (programs_servers.ts). One that is not done in ten
 * minutes hangs, and fails with what its processes are at. Done as the user who calls, and when that is root also as an
 * ordinary user.
 *
 *     deno run -A tests/programs.ts [--seed=N] [--only=NAME] [--user=root|ordinary|both]
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join, resolve } from "@std/path";
import { delay } from "@std/async/delay";
import { type Job, launch, restart } from "../mod.ts";
import { emulatorWorkloads } from "./programs_emulators.ts";
import { fileWorkloads } from "./programs_files_table.ts";
import { installMissing, missingOf } from "./programs_install.ts";
import { interpreterWorkloads } from "./programs_interpreters.ts";
import { languageWorkloads } from "./programs_languages.ts";
import { withinLimit } from "./programs_limit.ts";
import { loopWorkloads } from "./programs_loops.ts";
import { makeInputs, type Prepared, sh } from "./programs_prepare.ts";
import { servers, tryServer } from "./programs_servers.ts";
import { stressWorkloads } from "./programs_stress.ts";
import { terminalWorkloads } from "./programs_terminals.ts";
import { threadedWorkloads } from "./programs_threads.ts";
import { toolWorkloads } from "./programs_tools.ts";
import { moreTreeWorkloads } from "./programs_trees_more.ts";
import { treeWorkloads } from "./programs_trees_table.ts";
import type { Workload } from "./programs_workload.ts";

const ORDINARY_ID = 1000;
const MOMENTS = 3;
/** The longest rows take well under a minute where nothing else runs. */
const LIMIT_MS = 600_000;

/** mulberry32: the same moments again for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The first differences between two directories, none when they are equal. */
async function difference(one: string, other: string): Promise<string | undefined> {
  const { success, stdout, stderr } = await new Deno.Command("diff", {
    args: ["-r", one, other],
    env: { LC_ALL: "C" },
  }).output();
  if (success) return;
  return new TextDecoder().decode(stdout.length > 0 ? stdout : stderr).trim().slice(0, 2000);
}

/** Three random fractions of a run, far enough apart to be moments of their own. */
function moments(random: () => number): number[] {
  return Array.from(
    { length: MOMENTS },
    (_, i) => 0.03 + (i + 0.05 + 0.9 * random()) * 0.82 / MOMENTS,
  );
}

/** Runs with what belongs beside it, which comes to its end in any case. */
async function withBeside<T>(workload: Workload, cwd: string, run: () => Promise<T>): Promise<T> {
  const beside = sh(workload.beside ?? ":", cwd);
  const [result] = await Promise.allSettled([run(), beside]);
  if (result.status === "rejected") throw result.reason;
  await beside;
  return result.value;
}

/** Runs to the end through three checkpoints; false when the program ended before the last of them. */
async function runDisturbed(
  workload: Workload,
  { cwd, dir, seconds, at, random }: {
    cwd: string;
    dir: string;
    seconds: number;
    at: number[];
    random: () => number;
  },
): Promise<boolean> {
  const streams = { stdin: "null", stdout: "null", stderr: "null" } as const;
  let job: Job = await launch(["sh", "-c", `exec ${workload.command} 2> err`], {
    ...streams,
    cwd,
    dir,
    name: "job",
    env: { LC_ALL: "C", TMPDIR: join(cwd, "../tmp") },
  });
  if (workload.settles && Deno.uid() !== 0) seconds -= await waitForOutput(job, cwd);
  let done = 0;
  for (const moment of at) {
    await delay((moment - done) * seconds * 1000);
    done = moment;
    const image = await job.checkpoint({
      kill: workload.inPlace ?? false,
      withFiles: workload.withFiles,
    })
      .catch(async (error) => {
        // The checkpoint may know of the end before the job does.
        if (!await hasEnded(job, 1000)) throw error;
        await succeed(job, cwd);
      });
    if (!image) return false;
    if (!workload.inPlace) {
      // What it does from here on is lost, and must be done again without a trace.
      await delay(random() * 0.1 * seconds * 1000);
      await job.kill("SIGKILL");
    }
    await job.status;
    if (workload.killed) {
      const copied = join(cwd, "copied");
      await Deno.mkdir(copied);
      await sh(workload.killed, cwd);
      await Deno.remove(copied, { recursive: true });
    }
    job = await restart(image, { ...streams, files: workload.beside ? "keep" : undefined });
  }
  await succeed(job, cwd);
  return true;
}

/** Waits until the program has written to the file "out": how many seconds it took. */
async function waitForOutput(job: Job, cwd: string): Promise<number> {
  const start = performance.now();
  const isThere = () => Deno.stat(join(cwd, "out")).then(({ size }) => size > 0, () => false);
  while (!await isThere() && !await hasEnded(job)) await delay(2);
  return (performance.now() - start) / 1000;
}

async function succeed(job: Job, cwd: string): Promise<void> {
  const status = await job.status;
  if (status.success) return;
  const words = await Deno.readTextFile(join(cwd, "err"));
  throw new Error(`ended with status ${status.signal ?? status.code}: ${words.slice(0, 2000)}`);
}

async function hasEnded(job: Job, patience = 0): Promise<boolean> {
  return await Promise.race([job.status.then(() => true), delay(patience).then(() => false)]);
}

/** One line about one workload, as whoever runs this. */
async function tryWorkload(
  workload: Workload,
  work: string,
  random: () => number,
): Promise<string> {
  await makeInputs(workload, join(work, "input"));
  const undisturbed = join(work, "undisturbed");
  await Deno.mkdir(undisturbed);
  const start = performance.now();
  const temporary = join(work, "tmp");
  await Deno.mkdir(temporary);
  await withBeside(
    workload,
    undisturbed,
    () => sh(`exec ${workload.command} 2> err`, undisturbed, { TMPDIR: temporary }),
  );
  let seconds = (performance.now() - start) / 1000;
  if (workload.compare) await sh(workload.compare, undisturbed);
  for (let attempt = 1;; attempt++) {
    const cwd = join(work, `disturbed-${attempt}`);
    await Deno.mkdir(cwd);
    const at = moments(random);
    const dir = join(work, `ckpt-${attempt}`);
    const run = () => runDisturbed(workload, { cwd, dir, seconds, at, random });
    if (!await withBeside(workload, cwd, run)) {
      // The undisturbed run met a slower machine: nearer moments.
      if (attempt === 6) throw new Error(`is too quick for ${MOMENTS} moments`);
      seconds *= 0.5;
      continue;
    }
    if (workload.compare) await sh(workload.compare, cwd);
    const found = await difference(undisturbed, cwd);
    if (found) throw new Error(found);
    const when = at.map((moment) => `${Math.round(moment * 100)} %`).join(", ");
    return `${seconds.toFixed(1)} s, restarted at ${when}`;
  }
}

/** All programs in a fixed order, so that each has its own random moments for a seed. */
const rows: { program: Prepared; run: (work: string, random: () => number) => Promise<string> }[] =
  [
    ...[
      ...interpreterWorkloads,
      ...toolWorkloads,
      ...loopWorkloads,
      ...threadedWorkloads,
      ...languageWorkloads,
      ...fileWorkloads,
      ...treeWorkloads,
      ...moreTreeWorkloads,
      ...terminalWorkloads,
      ...stressWorkloads,
      ...emulatorWorkloads,
    ].map((workload) => ({
      program: workload,
      run: (work: string, random: () => number) => tryWorkload(workload, work, random),
    })),
    ...servers.map((server) => ({
      program: server,
      run: (work: string, random: () => number) => tryServer(server, work, random),
    })),
  ];

async function runAll(user: string, seed: number, only: string | undefined): Promise<number[]> {
  let passed = 0, failed = 0;
  const all = rows.map((row, index) => ({ ...row, index }))
    .filter(({ program }) => only === undefined || program.name === only);
  await installMissing(all.map(({ program }) => program.needs));
  for (const { program, run, index } of all) {
    const missing = await missingOf(program.needs);
    if (missing.length > 0) {
      console.log(`skipped ${program.name} as ${user}: ${missing.join(", ")} missing`);
      continue;
    }
    if (program.ordinaryOnly && Deno.uid() === 0) {
      console.log(`skipped ${program.name} as ${user}: ${program.ordinaryOnly}`);
      continue;
    }
    const work = await Deno.makeTempDir({ prefix: "ckpt-programs-" });
    const { promise: limit, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LIMIT_MS);
    try {
      const row = run(work, randomFrom(seed * 1000 + index));
      const words = await withinLimit(row, { work, limit });
      console.log(`ok ${program.name} as ${user}: ${words}`);
      passed++;
    } catch (error) {
      console.log(
        `FAILED ${program.name} as ${user}: ${error instanceof Error ? error.message : error}`,
      );
      failed++;
    } finally {
      clearTimeout(timer);
      await Deno.remove(work, { recursive: true });
    }
  }
  return [passed, failed];
}

/** The same program again, as an ordinary user, its lines passed through. */
async function runAsOrdinaryUser(args: string[]): Promise<number[]> {
  const home = await Deno.makeTempDir({ prefix: "ckpt-home-" });
  try {
    await Deno.chown(home, ORDINARY_ID, ORDINARY_ID);
    const script = resolve(import.meta.dirname!, "programs.ts");
    const drop = [`--reuid=${ORDINARY_ID}`, `--regid=${ORDINARY_ID}`, "--clear-groups"];
    const own = [Deno.execPath(), "run", "-A", "--no-check", script, "--user=ordinary", ...args];
    const mayEnter = await new Deno.Command("setpriv", { args: [...drop, "test", "-r", script] })
      .output();
    if (!mayEnter.success) {
      console.log(
        `skipped the part as an ordinary user: uid ${ORDINARY_ID} may not read ${script}`,
      );
      return [0, 0];
    }
    const child = new Deno.Command("setpriv", {
      args: [...drop, ...own],
      cwd: resolve(import.meta.dirname!, ".."),
      env: { HOME: home, DENO_DIR: join(home, "deno") },
      stdin: "null",
      stdout: "piped",
    }).spawn();
    let text = "";
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      await Deno.stdout.write(new TextEncoder().encode(part));
    }
    await child.status;
    const total = /(\d+) passed, (\d+) failed\s*$/.exec(text);
    if (total) return [Number(total[1]), Number(total[2])];
    console.log("FAILED: the run as an ordinary user ended without a total");
    return [0, 1];
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

async function main(words: string[]): Promise<number> {
  const unknown: string[] = [];
  const options = parseArgs(words, {
    string: ["seed", "only", "user"],
    unknown: (word) => unknown.push(word) === 0,
  });
  if (unknown.length > 0) {
    console.error(`Does not know ${unknown.join(" ")} (--seed=N, --only=NAME, --user=WHO)`);
    return 2;
  }
  const seed = Number(options.seed ?? crypto.getRandomValues(new Uint16Array(1))[0]);
  const only = options.only as string | undefined;
  if (only !== undefined && !rows.some(({ program }) => program.name === only)) {
    console.error(`Has no program ${only}: ${rows.map(({ program }) => program.name).join(", ")}`);
    return 2;
  }
  const user = (options.user ?? "both") as string;
  const isRoot = Deno.uid() === 0;
  console.log(`seed ${seed}`);
  const totals: number[][] = [];
  if (user !== "ordinary" || !isRoot) {
    totals.push(await runAll(isRoot ? "root" : "an ordinary user", seed, only));
  }
  if (user !== "root" && isRoot) {
    totals.push(
      await runAsOrdinaryUser([`--seed=${seed}`, ...only === undefined ? [] : [`--only=${only}`]]),
    );
  }
  const passed = totals.reduce((sum, [count]) => sum + count!, 0);
  const failed = totals.reduce((sum, [, count]) => sum + count!, 0);
  // The part as an ordinary user says whose total it is; the last line is the one over all.
  console.log(
    `${user === "ordinary" ? "as an ordinary user: " : ""}${passed} passed, ${failed} failed`,
  );
  return failed > 0 || passed === 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
