import { join, resolve } from "@std/path";
import { ImageError } from "./errors.ts";
import { Image, list } from "./image.ts";
import { imageNames, readKept, readRunning } from "./job_directory.ts";
import { isProcess } from "./proc.ts";

/** The directory of jobs when none is named: $CKPT_DIR, or ckpt. */
export function defaultDirectory(): string {
  return Deno.env.get("CKPT_DIR") || "ckpt";
}

/**
 * All whole images of a directory of jobs, the newest last. A directory that does not exist has none.
 *
 * @param dir The directory of jobs, `$CKPT_DIR` or `ckpt` when it is not given.
 * @throws {ImageError} when the directory cannot be read.
 *
 * @example Bring the newest image back
 * ```ts
 * import { images, restart } from "@ckpt/ckpt";
 *
 * const dir = await Deno.makeTempDir();
 * const newest = (await images(dir)).at(-1);
 * if (newest) console.log((await (await restart(newest)).status).code);
 * ```
 */
export async function images(dir: string = defaultDirectory()): Promise<Image[]> {
  const found = (await jobs(dir)).flatMap((job) => job.images);
  return found.sort((a, b) => a.time.getTime() - b.time.getTime());
}

/** What is known of a job. */
export interface JobInfo {
  /** Its name. */
  name: string;
  /** Its directory, absolute. */
  path: string;
  /** The process that runs it now, if any. */
  pid?: number;
  /** Its whole images, by number. */
  images: Image[];
  /** What is wrong with the others. */
  damaged: ImageError[];
}

/**
 * All jobs of a directory, by name. A directory that does not exist has none.
 *
 * @param dir The directory of jobs, `$CKPT_DIR` or `ckpt` when it is not given.
 * @throws {ImageError} when the directory cannot be read. Jobs in it that cannot be are left out.
 *
 * @example What runs?
 * ```ts
 * import { jobs } from "@ckpt/ckpt";
 *
 * for (const job of await jobs()) console.log(job.name, job.pid ?? "has ended");
 * ```
 */
export async function jobs(dir: string = defaultDirectory()): Promise<JobInfo[]> {
  const found: JobInfo[] = [];
  for (const name of await names(dir)) {
    const job = await readJob(resolve(dir, name)).catch((error) => {
      if (error instanceof ImageError) return undefined; // another user's
      throw error;
    });
    if (job) found.push(job);
  }
  return found.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** The images of one job, whole and damaged. */
export async function imagesOf(
  directory: string,
): Promise<{ images: Image[]; damaged: ImageError[] }> {
  const images: Image[] = [];
  const damaged: ImageError[] = [];
  for (const name of imageNames(await names(directory))) {
    try {
      images.push(await Image.open(join(directory, name)));
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      damaged.push(error);
    }
  }
  return { images, damaged };
}

/** A job's directory read, undefined when it is none. Throws an ImageError when it cannot be read. */
export async function readJob(path: string): Promise<JobInfo | undefined> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (!info?.isDirectory) return undefined;
  const { images, damaged } = await imagesOf(path);
  const running = await readRunning(path) ?? await runningOf(images.at(-1));
  const known = running || images.length + damaged.length > 0 || await readKept(path);
  if (!known) return undefined;
  return { name: path.slice(path.lastIndexOf("/") + 1), path, pid: running?.pid, images, damaged };
}

/** A job that was started by LD_PRELOAD alone is known by its newest image only. */
async function runningOf(image: Image | undefined): Promise<{ pid: number } | undefined> {
  if (!image) return undefined;
  const { startTime, bootId } = image;
  const process = { pid: image.processes[0]!.pid, startTime, bootId };
  return await isProcess(process) ? process : undefined;
}

async function names(directory: string): Promise<string[]> {
  try {
    return (await list(directory)).filter((name) => !name.startsWith("."));
  } catch (error) {
    if (error instanceof ImageError && error.cause instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
