/**
 * Measures what README says about speed and prints it as Markdown: medians of several rounds, in which the
 * things that are compared take turns, so that a machine that gets slower does so for both.
 *
 *     deno run -A bench/bench.ts [--rounds=N] [--mib=N] [--dir=DIRECTORY]
 *         [--only=checkpoint|restart|small|workers|job|overhead]
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join, resolve } from "@std/path";
import { type Image, type Job, launch } from "../mod.ts";

const root = resolve(import.meta.dirname!, "..");

function built(name: string): string {
  return join(root, "build", name);
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function run(command: string[], env: Record<string, string> = {}): Promise<string> {
  const [program, ...args] = command as [string, ...string[]];
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    env,
    stdin: "null",
  }).output();
  if (!success) throw new Error(`${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** A fill program that is ready. */
async function fill(dir: string, kind: string, mib: number, ...more: string[]): Promise<Job> {
  const job = await launch([built("bench/fill"), kind, String(mib), ...more], {
    dir,
    name: [kind, mib, ...more].join("-").replace(/[+\/]/g, ""),
    stdin: "piped",
    stdout: "piped",
  });
  const reader = job.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return job;
}

async function coreOf(image: Image): Promise<string> {
  for await (const entry of Deno.readDir(image.path)) {
    if (entry.name.endsWith(".core")) return join(image.path, entry.name);
  }
  throw new Error(`No core in ${image.path}`);
}

function row(...cells: (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

function ms(value: number): string {
  return value < 20 ? value.toFixed(1) : value.toFixed(0);
}

interface Setting {
  dir: string;
  mib: number;
  rounds: number;
}

/** Each round: drop nothing, but make every writer start with an empty queue at the disk. */
async function benchCheckpoint(kind: string, { dir, mib, rounds }: Setting): Promise<void> {
  const source = join(dir, "source"), copy = join(dir, "copy");
  await run([built("bench/fill"), kind, String(mib), source]);
  const job = await fill(dir, kind, mib);
  const times = { checkpoint: [] as number[], cat: [] as number[], catSync: [] as number[] };
  let size = 0, pause = 0;
  try {
    for (let round = 0; round <= rounds; round++) {
      await run(["sync"]);
      let image: Image | undefined;
      const checkpoint = await timed(async () => image = await job.checkpoint());
      ({ size } = image!);
      pause = image!.made?.pause ?? 0;
      await Deno.remove(image!.path, { recursive: true });
      await run(["sync"]);
      const cat = await timed(() => run(["sh", "-c", 'exec cat "$1" >"$2"', "sh", source, copy]));
      await Deno.remove(copy);
      await run(["sync"]);
      const catSync = await timed(() =>
        run(["sh", "-c", 'cat "$1" >"$2" && exec sync "$2"', "sh", source, copy])
      );
      await Deno.remove(copy);
      if (round === 0) continue; // finds the memory that the others find warm
      times.checkpoint.push(checkpoint);
      times.cat.push(cat);
      times.catSync.push(catSync);
    }
  } finally {
    await job.kill();
    await Deno.remove(source);
  }
  const [own, cat, catSync] = [times.checkpoint, times.cat, times.catSync].map(median);
  row(
    kind,
    `${(size / 2 ** 20).toFixed(1)} MiB`,
    ms(own!),
    ms(pause),
    ms(catSync!),
    (own! / catSync!).toFixed(2),
    ms(cat!),
    (own! / cat!).toFixed(2),
  );
}

/** From exec to the first byte of output, measured by a C program. */
async function firstOutput(command: string[]): Promise<number> {
  return Number(await run([built("bench/first_output"), ...command])) / 1e6;
}

async function benchRestart(kind: string, { dir, mib, rounds }: Setting): Promise<void> {
  const job = await fill(dir, kind, mib);
  const image = await job.checkpoint({ kill: true });
  await job.status;
  const core = await coreOf(image);
  const times = { restart: [] as number[], map: [] as number[], copy: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    const restart = await firstOutput([built("restart"), "--quiet", image.path]);
    const map = await firstOutput([built("bench/read_file"), "map", core]);
    const copy = await firstOutput([built("bench/read_file"), "copy", core]);
    if (round === 0) continue;
    times.restart.push(restart);
    times.map.push(map);
    times.copy.push(copy);
  }
  await Deno.remove(image.path, { recursive: true });
  const [own, map, copy] = [times.restart, times.map, times.copy].map(median);
  row(
    kind,
    ms(own!),
    ms(map!),
    (own! / map!).toFixed(2),
    ms(copy!),
    (own! / copy!).toFixed(2),
  );
}

async function benchSmall({ dir, rounds }: Setting): Promise<void> {
  const job = await fill(dir, "random", 1);
  const totals: number[] = [], pauses: number[] = [];
  for (let round = 0; round < rounds * 4; round++) {
    const { made } = await job.checkpoint();
    totals.push(made!.duration);
    pauses.push(made!.pause);
  }
  const image = await job.checkpoint({ kill: true });
  await job.status;
  const restarts: number[] = [], starts: number[] = [];
  for (let round = 0; round < rounds * 4; round++) {
    restarts.push(await firstOutput([built("restart"), "--quiet", image.path]));
    starts.push(await firstOutput([built("bench/fill"), "random", "1"]));
  }
  row("checkpoint, from the request to the image on disk", ms(median(totals)));
  row("of that, the program stood still", ms(median(pauses)));
  row("restart, from exec to the first output", ms(median(restarts)));
  row("for comparison: the program itself, from exec to its first output", ms(median(starts)));
}

/** What workers that share a server's memory since a fork add to it. */
async function benchWorkers({ dir, mib, rounds }: Setting): Promise<void> {
  let alone: number[] | undefined;
  for (const workers of [0, 10, 50, 500]) {
    const job = await fill(dir, "random", mib, `+${workers}`);
    const checkpoints: number[] = [], restarts: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const image = await job.checkpoint();
      if (round > 0) checkpoints.push(image.made!.duration);
      await Deno.remove(image.path, { recursive: true });
    }
    const image = await job.checkpoint({ kill: true });
    await job.status;
    for (let round = 0; round <= rounds; round++) {
      const restart = await firstOutput([built("restart"), "--quiet", image.path]);
      if (round > 0) restarts.push(restart);
    }
    const values = [image.size, median(checkpoints), median(restarts)];
    alone ??= values;
    const ratios = values.map((value, i) => (value / alone![i]!).toFixed(2));
    const [checkpoint, restart] = [ms(values[1]!), ms(values[2]!)];
    const size = `${(image.size / 2 ** 20).toFixed(1)} MiB`;
    row(workers, size, ratios[0]!, checkpoint, ratios[1]!, restart, ratios[2]!);
    await Deno.remove(image.path, { recursive: true });
  }
}

/** What the other members of a job hold, by its largest one's. */
const others = [["x2/16", "1/16"], ["x8/16", "1/16"], ["x2/1", "as much"], ["x8/1", "as much"]];

/** The pause of a job against that of its largest member alone. */
async function benchJob(kind: string, { dir, mib, rounds }: Setting): Promise<void> {
  const alone = await fill(dir, kind, mib);
  const jobs: Job[] = [];
  for (const [words] of others) jobs.push(await fill(dir, kind, mib, words!));
  const pauses = [alone, ...jobs].map(() => [] as number[]);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, job] of [alone, ...jobs].entries()) {
      await run(["sync"]);
      const image = await job.checkpoint();
      await Deno.remove(image.path, { recursive: true });
      if (round > 0) pauses[i]!.push(image.made!.pause);
    }
  }
  for (const job of [alone, ...jobs]) await job.kill();
  const [one, ...all] = pauses.map(median);
  row(kind, ms(one!), ...all.flatMap((pause) => [ms(pause), (pause / one!).toFixed(2)]));
}

/** What a turn of each loop is, and how many make a measurement. */
const loops: Record<string, { words: string; count: number }> = {
  syscall: { words: "system call (getppid)", count: 2_000_000 },
  malloc: { words: "malloc and free", count: 5_000_000 },
  lock: { words: "mutex, alone", count: 20_000_000 },
  contended: { words: "mutex, two threads at it", count: 20 },
  fork: { words: "fork, exit and wait", count: 1_000 },
  exec: { words: "fork, exec, exit and wait", count: 300 },
};

async function benchLoop(name: string, { dir, rounds }: Setting): Promise<void> {
  const env = { LD_PRELOAD: built("libckpt.so"), CKPT_DIR: dir };
  const { words, count } = loops[name]!;
  const command = [built("bench/loops"), name, String(count)];
  const bare: number[] = [], under: number[] = [];
  for (let round = 0; round < rounds * 7; round++) {
    bare.push(Number(await run(command)));
    under.push(Number(await run(command, env)));
  }
  const [without, with_] = [median(bare), median(under)];
  row(words, without.toFixed(1), with_.toFixed(1), (with_ / without).toFixed(2));
}

async function machine(): Promise<string> {
  const cpu = /model name\s*: (.*)/.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "?";
  const { total } = Deno.systemMemoryInfo();
  return `${navigator.hardwareConcurrency} x ${cpu}, ${Math.round(total / 2 ** 30)} GiB, ` +
    `Linux ${Deno.osRelease()}`;
}

const kinds = ["random", "text", "zero", "sparse"];

const parts: Record<string, (setting: Setting) => Promise<void>> = {
  checkpoint: async (setting) => {
    console.log(
      `Checkpoint of ${setting.mib} MiB (synced to disk) against cat of the same bytes:\n`,
    );
    row(
      "memory",
      "image",
      "checkpoint",
      "pause",
      "cat + sync",
      "ratio",
      "cat, not synced",
      "ratio",
    );
    row("---", "--:", "--:", "--:", "--:", "--:", "--:", "--:");
    for (const kind of kinds) await benchCheckpoint(kind, setting);
  },
  restart: async (setting) => {
    console.log(
      `\nRestart of ${setting.mib} MiB to the first output, against C programs that read the image:\n`,
    );
    row("memory", "restart", "map and add up", "ratio", "read into memory", "ratio");
    row("---", "--:", "--:", "--:", "--:", "--:");
    for (const kind of kinds) await benchRestart(kind, setting);
  },
  small: async (setting) => {
    console.log("\nA process of 1 MiB:\n");
    row("step", "ms");
    row("---", "--:");
    await benchSmall(setting);
  },
  workers: async (setting) => {
    console.log(
      `\nA server of ${setting.mib} MiB and its workers, which share that since a fork:\n`,
    );
    row("workers", "image", "ratio", "checkpoint", "ratio", "restart", "ratio");
    row("--:", "--:", "--:", "--:", "--:", "--:", "--:");
    await benchWorkers(setting);
  },
  job: async (all) => {
    const setting = { ...all, mib: Math.ceil(all.mib / 4) }; // it is held many times at once
    console.log(
      `\nThe pause of a job against that of its largest member alone, which holds ${setting.mib} MiB:\n`,
    );
    const titles = others.map(([words, held]) => `${words!.slice(1, 2)}, others ${held}`);
    row("memory", "alone", ...titles.flatMap((title) => [title, "ratio"]));
    row("---", "--:", ...titles.flatMap(() => ["--:", "--:"]));
    for (const kind of kinds) await benchJob(kind, setting);
  },
  overhead: async (setting) => {
    console.log("\nRun-time overhead, ns a turn:\n");
    row("loop", "without", "with libckpt.so", "ratio");
    row("---", "--:", "--:", "--:");
    for (const name of Object.keys(loops)) await benchLoop(name, setting);
  },
};

async function main(words: string[]): Promise<void> {
  const options = parseArgs(words, { string: ["rounds", "mib", "dir", "only"] });
  const rounds = Number(options.rounds ?? 5), mib = Number(options.mib ?? 1024);
  const dir = await Deno.makeTempDir({
    dir: resolve((options.dir as string | undefined) ?? built(".")),
    prefix: "bench-",
  });
  const setting = { dir, mib, rounds };
  try {
    console.log(`${await machine()}; medians of ${rounds} rounds; times in ms.\n`);
    for (const [name, part] of Object.entries(parts)) {
      if (!options.only || options.only === name) await part(setting);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

if (import.meta.main) await main(Deno.args);
