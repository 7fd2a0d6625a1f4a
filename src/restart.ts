import { resolve } from "@std/path";
import { checkDetached } from "./detached.ts";
import { ImageError, RestartError } from "./errors.ts";
import { Image } from "./image.ts";
import { readJob } from "./images.ts";
import type { Job } from "./job.ts";
import { checkJobName } from "./job_directory.ts";
import { checkKeepOptions, type KeepOptions } from "./keeper.ts";
import type { Stream } from "./launch.ts";
import { Restarting } from "./restarting.ts";

/** How to bring an image back. */
export interface RestartOptions extends KeepOptions {
  /** Name of the job that goes on, beside the old one. The old name when none is given. */
  name?: string;
  /** Where the program's input now comes from, if it came from outside; `inherit` when not given. */
  stdin?: Stream;
  /** Where its output goes, `inherit` when not given. */
  stdout?: Stream;
  /** Where its error output goes, `inherit` when not given. */
  stderr?: Stream;
  /**
   * Process ids: `same` as before or not at all, in a `namespace` of its own where they are free,
   * `new` ones, or what works best (`auto`, the default).
   */
  pid?: "auto" | "same" | "namespace" | "new";
  /** Files that have grown, or differ from what the image carries: as they were (`rewind`, the default), left (`keep`), or an error (`strict`). */
  files?: "rewind" | "keep" | "strict";
  /**
   * The clocks that count from the boot (CLOCK_MONOTONIC, CLOCK_BOOTTIME): they go on from the checkpoint where
   * that is allowed (`continue`, the default), or are those of the `machine`.
   */
  clocks?: "continue" | "machine";
  /**
   * TCP connections to other processes: the program finds them `reset` (the default), nothing is restarted when
   * there are any (`refuse`), or they come back themselves (`repair`): from an image that was made so, with
   * CAP_NET_ADMIN.
   */
  tcp?: "reset" | "refuse" | "repair";
  /** What has moved: old paths, or those of directories, and where each is now. Of several the longest counts. */
  map?: Record<string, string>;
  /** Its working directory, and that of the processes that were in the same; where it was when not given. */
  cwd?: string;
  /**
   * Other files for its descriptors, by number: a path, which is opened as a shell would open it (`<`, `>`,
   * `>>` or `<>`, by what the descriptor was open for), or `"inherit"`.
   */
  fds?: Record<number, string>;
  /**
   * Whether the program runs on by itself, with a `restart` in the background that looks after it. The job is then
   * like one that was attached to, but knows its exit status. Its output goes where that of this process does, or to
   * the file `output` of the job's directory when that is a terminal.
   */
  detach?: boolean;
  /**
   * Whether a terminal is made for a program that had one: what it shows there goes to `stdout`, what is typed comes
   * from `stdin`.
   */
  pty?: boolean;
  /** Whether the program has no terminal from now on: what led to one is /dev/null, or hung up. */
  noTty?: boolean;
  /**
   * Whether all of its processes stop before their first own instruction, so that a debugger can attach. SIGCONT for
   * the job lets them go on.
   */
  stopped?: boolean;
  /** Whether an image of another user is taken. */
  anyOwner?: boolean;
  /** Whether an image of a machine with another processor is taken. */
  ignoreCpu?: boolean;
  /** Whether warnings are left out. */
  quiet?: boolean;
}

/**
 * Brings an image back. Returns once the program runs.
 *
 * Of a job, the newest image that is whole: also when only reading its memory shows that a newer one is not.
 *
 * @param image An image, or the path of one: its directory, a job's directory (its newest whole image), or a
 * core file.
 * @throws {RestartError} when that is not possible: nothing was changed.
 * @throws {TypeError} when what has moved is no absolute path, a descriptor no number, or options do not go
 * together.
 *
 * @example Two programs out of one
 * ```ts
 * import { launch, restart } from "@ckpt/ckpt";
 *
 * const dir = await Deno.makeTempDir();
 * await using job = await launch(["sleep", "2"], { name: "nap", dir });
 * const image = await job.checkpoint({ kill: true });
 *
 * await using one = await restart(image, { name: "one", pid: "new", quiet: true });
 * await using two = await restart(image, { name: "two", pid: "new", quiet: true });
 * console.log((await one.status).code, (await two.status).code);
 * ```
 */
export async function restart(image: Image | string, options: RestartOptions = {}): Promise<Job> {
  checkRestartOptions(options);
  return await startNewest(image, { ...options, start: (path) => start(path, options) });
}

/** Throws for options that make no sense, before anything has been started. */
export function checkRestartOptions(options: RestartOptions): void {
  checkKeepOptions(options);
  checkPlaces(options);
  checkDetach(options);
  if (options.name !== undefined) checkJobName(options.name);
}

/** Starts what an image holds; of a job, its newest image that is whole. */
export async function startNewest<T>(
  image: Image | string,
  options: { quiet?: boolean; start: (path: string) => Promise<T> },
): Promise<T> {
  const { start } = options;
  if (image instanceof Image) return await start(image.path);
  try {
    return await start(image);
  } catch (error) {
    if (!(error instanceof RestartError)) throw error;
    const older = await findOlder(image, options);
    if (!older) throw error;
    return await start(older.path);
  }
}

function checkDetach(options: RestartOptions): void {
  const { detach, pty, noTty } = options;
  if (pty && (noTty || detach)) {
    throw new TypeError(
      `A terminal is not made for a program that ${detach ? "is detached" : "has none"}`,
    );
  }
  if (detach) checkDetached(options);
}

function checkPlaces({ map = {}, fds = {} }: RestartOptions): void {
  for (const old of Object.keys(map)) {
    if (!old.startsWith("/")) throw new TypeError(`Not an absolute path that has moved: ${old}`);
  }
  for (const fd of Object.keys(fds)) {
    if (!/^\d{1,7}$/.test(fd)) throw new TypeError(`Not a descriptor: ${fd}`);
  }
}

/** The newest whole image of a job, when its newest one is damaged. */
async function findOlder(
  path: string,
  options: { quiet?: boolean },
): Promise<Image | undefined> {
  const job = await readJob(resolve(path)).catch(() => undefined);
  const images = job?.images.toReversed() ?? [];
  const damaged: ImageError[] = [];
  for (const image of images) {
    try {
      await image.verify();
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      damaged.push(error);
      continue;
    }
    if (damaged.length === 0) return undefined; // it is whole: something else was wrong
    if (!options.quiet) {
      for (const { message } of damaged) console.error(`restart: ${message}`);
      console.error(`restart: takes the newest whole image, ${image.path}`);
    }
    return image;
  }
}

async function start(path: string, options: RestartOptions): Promise<Job> {
  using restarting = new Restarting(path, options);
  return await restarting.job();
}
