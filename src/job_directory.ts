import { join } from "@std/path";
import { isProcess, type ProcessId } from "./proc.ts";

const RUNNING = "running";
const ENDED = "ended";
const IMAGE = /^\d{6,}\.ckpt$/;

/** The process that runs a job. */
export interface RunningProcess extends ProcessId {
  /** The `restart` in the background that leaves word of its end, if there is one. */
  keeper?: ProcessId;
}

/** Throws a TypeError for what cannot be the name of a job: it becomes a directory. */
export function checkJobName(name: string): void {
  if (/^[^./][^/\0]*$/.test(name) && new TextEncoder().encode(name).length <= 255) return;
  throw new TypeError(
    `Not a name for a job: ${JSON.stringify(name)} (no slash, no leading dot, 255 bytes)`,
  );
}

/** Says in a job's directory which process is the job, so that others find it. Creates the directory. */
export async function writeRunning(directory: string, process: ProcessId): Promise<void> {
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = join(directory, `.${RUNNING}-${crypto.randomUUID()}`);
  await Deno.writeTextFile(
    temporary,
    `${process.pid} ${process.startTime} ${process.bootId}\n`,
    { mode: 0o600 },
  );
  await Deno.rename(temporary, join(directory, RUNNING));
  await ignoring(Deno.remove(join(directory, ENDED)), Deno.errors.NotFound); // of an earlier one
}

/** Takes back what writeRunning said, if it still says so, and the directory when it is empty. */
export async function removeRunning(directory: string, process: ProcessId): Promise<void> {
  const now = await read(directory);
  if (now?.pid === process.pid && now.startTime === process.startTime) {
    await ignoring(Deno.remove(join(directory, RUNNING)), Deno.errors.NotFound);
  }
  await removeEmpty(directory);
}

/** The process that a job's directory names, when it is alive. */
export async function readRunning(directory: string): Promise<RunningProcess | undefined> {
  const process = await read(directory);
  return process && await isProcess(process) ? process : undefined;
}

/** Who has run a job last, under a keeper: it may have ended by now. */
export async function readKept(directory: string): Promise<RunningProcess | undefined> {
  const running = await read(directory);
  if (running) return running.keeper && running;
  return parse(await readText(directory, ENDED)); // word of its end is there before it runs no more
}

/** The exit status that a process ended with, as far as its keeper has left word of it. */
export async function readEnded(
  directory: string,
  process: ProcessId,
): Promise<number | undefined> {
  const [, of, status] = (await readText(directory, ENDED))?.match(/^(.*) (\d+)\n$/) ?? [];
  const { pid, startTime, bootId } = process;
  return of === `${pid} ${startTime} ${bootId}` ? Number(status) : undefined;
}

/** The names of images among names, by number. */
export function imageNames(names: string[]): string[] {
  return names.filter((name) => IMAGE.test(name)).sort((a, b) => parseInt(a) - parseInt(b));
}

/** Makes `latest` lead to the newest image, or removes it when there is none. */
export async function syncLatest(directory: string): Promise<void> {
  const names = (await Array.fromAsync(Deno.readDir(directory))).map((entry) => entry.name);
  const newest = imageNames(names).at(-1);
  const latest = join(directory, "latest");
  if (!newest) {
    await ignoring(Deno.remove(latest), Deno.errors.NotFound);
    return;
  }
  const temporary = join(directory, `.latest-${crypto.randomUUID()}`);
  await Deno.symlink(newest, temporary);
  await Deno.rename(temporary, latest);
}

async function read(directory: string): Promise<RunningProcess | undefined> {
  return parse(await readText(directory, RUNNING));
}

function parse(text: string | undefined): RunningProcess | undefined {
  const match = text?.match(/^(\d+) (\d+) ([0-9a-f-]{36})(?: (\d+)(?: (\d+))?)?\n?$/);
  if (!match) return undefined;
  const bootId = match[3]!;
  const identity = (at: number) => ({
    pid: Number(match[at]),
    startTime: BigInt(match[at + 1]!),
    bootId,
  });
  return match[5] ? { ...identity(1), keeper: identity(4) } : identity(1);
}

async function readText(directory: string, name: string): Promise<string | undefined> {
  return await ignoring(
    Deno.readTextFile(join(directory, name)),
    Deno.errors.NotFound,
    Deno.errors.NotADirectory,
    Deno.errors.PermissionDenied,
  );
}

async function removeEmpty(directory: string): Promise<void> {
  for await (const _ of Deno.readDir(directory)) return;
  await Deno.remove(directory);
}

async function ignoring<T>(
  action: Promise<T>,
  ...errors: (new () => Error)[]
): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    if (errors.some((type) => error instanceof type)) return undefined;
    throw error;
  }
}
