import { basename } from "@std/path";
import type { Image } from "./image.ts";
import type { Job } from "./job.ts";
import { checkRestartOptions, type RestartOptions, startNewest } from "./restart.ts";
import { jobDirectory, Restarting } from "./restarting.ts";

/** How to bring copies back: each has a pid namespace of its own. */
export type CloneOptions = Omit<RestartOptions, "pid">;

/** The jobs of copies side by side. Leaving the scope of `await using` does with each what a job's own does. */
export type Copies = readonly Job[] & AsyncDisposable;

/** As many as `restart --clone` starts. */
const MOST = 1000;

/**
 * Brings an image back as several copies side by side, for branching from one state. All run, or none: they are let
 * go once each is ready to.
 *
 * The jobs are called NAME-1, NAME-2 and so on, NAME being the option or the job's own name. What there is only one
 * of on a machine, copies cannot share: an address, a lock, a file that the program writes to (which `fds` may
 * give each of its own, or `files: "keep"` leave to all).
 *
 * @param image An image, or the path of one, as {@linkcode restart} takes it.
 * @param count How many, from 1 to 1000.
 * @param options How, for all alike; or a function that says it for each, by its number from 1. A name that it gives
 * is that copy's whole name.
 * @throws {RestartError} when that is not possible: nothing was changed, and no copy is left.
 * @throws {RangeError} when the number makes no sense.
 * @throws {TypeError} when the options do not, or two copies have one name.
 *
 * @example Three ways to go on from one state
 * ```ts
 * import { clone, launch } from "@ckpt/ckpt";
 *
 * const dir = await Deno.makeTempDir();
 * await using job = await launch(["sh", "-c", "sleep 0.2; read word; echo got $word"], {
 *   name: "branch",
 *   dir,
 *   stdin: "piped",
 * });
 * const image = await job.checkpoint({ kill: true });
 *
 * await using copies = await clone(image, 3, (number) => {
 *   Deno.writeTextFileSync(`${dir}/in-${number}`, `${number}\n`);
 *   return { fds: { 0: `${dir}/in-${number}`, 1: `${dir}/out-${number}` }, quiet: true };
 * });
 * await Promise.all(copies.map((copy) => copy.status));
 * console.log(Deno.readTextFileSync(`${dir}/out-2`)); // got 2
 * ```
 */
export async function clone(
  image: Image | string,
  count: number,
  options: CloneOptions | ((number: number) => CloneOptions) = {},
): Promise<Copies> {
  if (!Number.isInteger(count) || count < 1 || count > MOST) {
    throw new RangeError(`Cannot make ${count} copies: it takes a whole number from 1 to ${MOST}`);
  }
  const own = await jobName(typeof image === "string" ? image : image.path);
  const each = Array.from({ length: count }, (_, i): RestartOptions => {
    const one = typeof options === "function" ? options(i + 1) : options;
    checkRestartOptions(one);
    const whole = typeof options === "function" ? one.name : undefined;
    const common = one.name ?? own;
    return { ...one, name: whole ?? (common === undefined ? undefined : `${common}-${i + 1}`) };
  });
  const names = each.flatMap(({ name }) => name ?? []);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new TypeError(`Two copies are called ${JSON.stringify(twice)}`);
  return await startNewest(image, {
    quiet: each[0]!.quiet,
    start: (path) => startAll(path, each),
  });
}

/** Undefined for a core file that is in no job's directory. */
async function jobName(path: string): Promise<string | undefined> {
  const full = await Deno.realPath(path).catch(() => path);
  const bare = full.endsWith(".core") && !full.match(/\/\d+\.ckpt\/[^/]*$/);
  return bare ? undefined : basename(await jobDirectory(full));
}

async function startAll(path: string, each: readonly RestartOptions[]): Promise<Copies> {
  const copies: Restarting[] = [];
  const jobs: Promise<Job>[] = [];
  try {
    // What the first has made again of files that are gone, the others find.
    const first = new Restarting(path, each[0]!, "first");
    copies.push(first);
    const image = await first.ready();
    const others: Restarting[] = [];
    for (const options of each.slice(1)) {
      others.push(new Restarting(image, options, "further"));
      copies.push(others.at(-1)!);
    }
    await Promise.all(others.map((copy) => copy.ready()));
    for (const group of [[first], others]) {
      group.forEach((copy) => copy.go());
      jobs.push(...group.map((copy) => copy.job()));
      await Promise.all(jobs);
    }
    return asCopies(await Promise.all(jobs));
  } catch (error) {
    for (const job of await Promise.allSettled(jobs)) {
      if (job.status === "fulfilled") await job.value.kill();
    }
    await Promise.all(copies.map((copy) => copy.cancel()));
    throw error;
  } finally {
    for (const copy of copies) copy[Symbol.dispose]();
  }
}

function asCopies(jobs: Job[]): Copies {
  return Object.assign(jobs, {
    async [Symbol.asyncDispose]() {
      await Promise.all(jobs.map((job) => job[Symbol.asyncDispose]()));
    },
  });
}
