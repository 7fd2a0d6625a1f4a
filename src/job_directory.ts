import { join } from "@std/path";
import { isProcess, type ProcessId } from "./proc.ts";

const RUNNING = "running";
const IMAGE = /^\d{6,}\.ckpt$/;

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
export async function readRunning(directory: string): Promise<ProcessId | undefined> {
  const process = await read(directory);
  return process && await isProcess(process) ? process : undefined;
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

async function read(directory: string): Promise<ProcessId | undefined> {
  const text = await ignoring(
    Deno.readTextFile(join(directory, RUNNING)),
    Deno.errors.NotFound,
    Deno.errors.NotADirectory,
    Deno.errors.PermissionDenied,
  );
  const match = text?.match(/^(\d+) (\d+) ([0-9a-f-]{36})\n?$/);
  if (!match) return undefined;
  return { pid: Number(match[1]), startTime: BigInt(match[2]!), bootId: match[3]! };
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
