import { format } from "@std/fmt/bytes";
import { join, relative, resolve } from "@std/path";
import { milliseconds } from "../duration.ts";
import { ImageError } from "../errors.ts";
import { defaultDirectory, readJob } from "../images.ts";
import { Job } from "../job.ts";
import { checkJobName, imageNames, readRunning } from "../job_directory.ts";
import type { KeepOptions } from "../keeper.ts";
import { identify } from "../proc.ts";
import { type Arguments, readCount, UsageError } from "./arguments.ts";

/** Words for people. Names in an image are somebody else's, and a terminal would obey what controls it. */
export function plain(words: string): string {
  return words.replace(/[^\P{Cc}\n]/gu, "?");
}

/** One line for an error that does not end the command. */
export function printError(error: unknown): void {
  console.error(`ckpt: ${plain(error instanceof Error ? error.message : String(error))}`);
}

/** The name of a job that --name has, if it is there. */
export function readName(args: Arguments): string | undefined {
  const name = args.value("name");
  if (name === undefined) return undefined;
  try {
    checkJobName(name);
  } catch (cause) {
    throw new UsageError(`--name: ${(cause as Error).message}`, { cause });
  }
  return name;
}

/** What --every and --keep say: the job of this command is saved by nothing else. */
export function readKeep(args: Arguments): KeepOptions {
  const every = readDuration(args, "every");
  const keep = readCount(args, "keep");
  if (keep !== undefined && every === undefined) throw new UsageError("--keep takes --every, too");
  return { every, keep, onError: printError };
}

/** A duration that an option has, in milliseconds. */
export function readDuration(args: Arguments, name: string): number | undefined {
  const value = args.value(name);
  if (value === undefined) return undefined;
  try {
    return milliseconds(value);
  } catch (cause) {
    throw new UsageError(`--${name}: ${(cause as Error).message}`, { cause });
  }
}

/** The path that IMAGE|NAME means: of a job by that name, of its image NAME@NUMBER, or of something that exists. */
export async function findImage(what: string, dir: string | undefined): Promise<string> {
  const directory = dir ?? defaultDirectory();
  // A program often has its job's name, and lies here.
  const places = (name: string) =>
    /^[^./][^/]*$/.test(name) ? [join(directory, name), name] : [name];
  for (const path of places(what)) {
    if (await exists(path)) return path;
  }
  const [, name, number] = what.match(/^(.+)@(\d+)$/) ?? [];
  for (const job of name ? places(name) : []) {
    if (await isDirectory(job)) return await findNumbered(job, Number(number));
  }
  throw new ImageError(
    `Cannot find ${what}: there is no such image, and no job of that name in ${directory}`,
    { path: what },
  );
}

async function findNumbered(job: string, number: number): Promise<string> {
  const names = imageNames((await Array.fromAsync(Deno.readDir(job))).map(({ name }) => name));
  const found = names.find((name) => parseInt(name) === number);
  if (found) return join(job, found);
  const numbers = names.map((name) => parseInt(name)).join(", ") || "none";
  throw new ImageError(`Cannot find image ${number} of ${job}: it has ${numbers}`, { path: job });
}

function exists(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}

function isDirectory(path: string): Promise<boolean> {
  return Deno.stat(path).then((info) => info.isDirectory, () => false);
}

/** The process that PID|NAME means: of a job by that name, or of that id; what for, in one word. */
export async function findRunning(
  what: string,
  { dir = defaultDirectory(), to }: { dir?: string; to: string },
): Promise<number> {
  const job = await readJob(join(dir, what));
  if (job?.pid) return job.pid;
  if (!job && /^[1-9]\d*$/.test(what)) return Number(what);
  throw new Deno.errors.NotFound(
    job
      ? notRunning(to, what)
      : `Cannot ${to} ${what}: there is no process and no job of that name in ${dir}`,
  );
}

/** The job of a name that runs; what for, in a word or two. */
export async function findJob(
  name: string,
  { dir = defaultDirectory(), to }: { dir?: string; to: string },
): Promise<Job> {
  const directory = resolve(dir, name);
  const info = await readJob(directory);
  const process = await readRunning(directory) ?? (info?.pid && await identify(info.pid));
  if (process) return Job.from({ process, directory });
  throw new Deno.errors.NotFound(
    info ? notRunning(to, name) : `Cannot ${to} ${name}: there is no job of that name in ${dir}`,
  );
}

function notRunning(to: string, name: string): string {
  return `Cannot ${to} ${name}: it does not run (ckpt restart ${name} brings it back)`;
}

/** Jobs that run on by themselves: a line for each, or JSON. */
export function printDetached(
  jobs: readonly Job[],
  { stopped, json }: { stopped?: boolean; json: boolean },
): void {
  const state = stopped ? "stopped" : "running";
  if (json) printJson(jobs.map(({ name, dir: path, pid }) => ({ name, path, state, pid })));
  else for (const { name, pid } of jobs) console.log(`${name}  ${state} ${pid}`);
}

/** Whether --detach is there, and --json with it: without it the output is the program's. */
export function readDetach(args: Arguments): { detach: boolean; json: boolean } {
  const [detach, json] = [args.flag("detach"), args.flag("json")];
  if (json && !detach) throw new UsageError("--json takes --detach, too");
  return { detach, json };
}

/** Lines with aligned columns. */
export function table(cells: string[][]): string {
  const rows = cells.map((row) => row.map(plain));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, i) => cell + " ".repeat(widths[i]! - cell.length)).join("  ").trimEnd()
  ).join("\n");
}

/** A size for people. */
export function bytes(count: number): string {
  return format(count, { binary: true });
}

/** Milliseconds for people. */
export function span(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** A time for people, in the local zone. */
export function when(time: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ` +
    `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** A path as short as it can be written from here. */
export function short(path: string): string {
  const here = relative(Deno.cwd(), path);
  return here.startsWith("..") ? path : here;
}

/** Prints JSON: what is too large for its numbers becomes text. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(
    value,
    (_, value) => typeof value === "bigint" ? `0x${value.toString(16)}` : value,
    2,
  ));
}
