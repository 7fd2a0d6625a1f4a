import { basename, dirname, join, resolve } from "@std/path";
import { carriedProblems, carriedSize } from "./carried.ts";
import { asImageError, Core } from "./core.ts";
import { describeProcess } from "./describe.ts";
import { JobDescriptors } from "./descriptor_notes.ts";
import { ImageError } from "./errors.ts";
import { inheritedProblems } from "./inherited.ts";
import { imageNames, syncLatest } from "./job_directory.ts";
import type { ProcessImage } from "./process_image.ts";

/** What a checkpoint took. */
export interface CheckpointFigures {
  /** How long the program stood still, in milliseconds. */
  pause: number;
  /** From the request to the image on disk, in milliseconds. */
  duration: number;
  /** Bytes written. */
  bytes: number;
}

/**
 * One checkpoint on disk: a directory with an ELF core file per process.
 *
 * @example Look into the newest image of each job
 * ```ts
 * import { images } from "@ckpt/ckpt";
 *
 * for (const image of await images()) {
 *   console.log(image.path, image.time, image.size, image.processes[0]?.command);
 * }
 * ```
 */
export class Image {
  /** The image's directory, absolute. */
  readonly path: string;
  /** Its number within the job, from 1. */
  readonly number: number;
  /** Its id, as 32 hexadecimal digits. */
  readonly id: string;
  /** The name of the job. */
  readonly job: string;
  /** The name of the program that was started. */
  readonly program: string;
  /** When it was made. */
  readonly time: Date;
  /** Bytes on disk, holes included. */
  readonly size: number;
  /** Release of the kernel that it was made under. */
  readonly kernel: string;
  /** The machine that it was made on. */
  readonly host: string;
  /** The boot that it was made in, as /proc/sys/kernel/random/boot_id shows it. */
  readonly bootId: string;
  /** Every process, the leader first. */
  readonly processes: readonly ProcessImage[];
  /** When the leader was started, in clock ticks since boot: with pid and boot, a process's identity. */
  readonly startTime: bigint;
  /** What making it took: only on the image that {@linkcode Job.checkpoint} gave. */
  readonly made?: CheckpointFigures;
  readonly #cores: readonly Core[];

  private constructor(
    path: string,
    parts: { cores: readonly Core[]; size: number; made?: CheckpointFigures },
  ) {
    const { cores, size, made } = parts;
    const { image, process } = cores[0]!;
    this.path = path;
    this.number = Number(image.number);
    this.id = hex(image.id);
    this.job = image.job;
    this.program = image.program;
    this.time = new Date(Number(image.realtime_ns / 1_000_000n));
    this.size = size;
    this.kernel = image.kernel;
    this.host = image.host;
    this.bootId = hex(image.boot_id).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    this.startTime = process.starttime;
    const descriptors = new JobDescriptors(cores);
    this.processes = cores.map((core) => describeProcess(core, descriptors));
    this.made = made;
    this.#cores = cores;
  }

  /**
   * Opens an image: its directory, a job's directory (its newest whole image) or one core file. Everything
   * but the memory is read and checked, see {@linkcode Image.verify} for the rest.
   *
   * @throws {ImageError} when there is none, or it is damaged.
   *
   * @example Open an image that may not be there
   * ```ts
   * import { Image, ImageError } from "@ckpt/ckpt";
   *
   * const image = await Image.open("ckpt/sim").catch((error) => {
   *   if (error instanceof ImageError) return undefined;
   *   throw error;
   * });
   * console.log(image?.path ?? "none yet");
   * ```
   */
  static async open(path: string): Promise<Image> {
    const full = resolve(path);
    const info = await Deno.stat(full).catch((cause) => {
      throw asImageError(path, cause);
    });
    if (!info.isDirectory) return await Image.#openDirectory(dirname(full), full);
    const names = await list(full);
    if (names.some((name) => name.endsWith(".core"))) return await Image.#openDirectory(full);
    const numbers = imageNames(names);
    if (numbers.length === 0) {
      const problem = "there is no image in it";
      throw new ImageError(`Cannot read image ${path}: ${problem}`, { path, problems: [problem] });
    }
    return await Image.#openNewest(full, numbers);
  }

  /**
   * The same image, with what making it took.
   *
   * @ignore
   */
  static made(image: Image, made: CheckpointFigures): Image {
    return new Image(image.path, { cores: image.#cores, size: image.size, made });
  }

  /**
   * Checks every byte: headers and notes once more as they are on disk now, and all memory.
   *
   * @throws {ImageError} with all problems, when there are any.
   *
   * @example Check all images
   * ```ts
   * import { images } from "@ckpt/ckpt";
   *
   * for (const image of await images()) await image.verify();
   * ```
   */
  async verify(): Promise<void> {
    const problems: string[] = [];
    const cores = await Promise.all(this.#cores.map(({ path }) => Core.read(path)));
    for (const core of cores) problems.push(...await problemsOf(core, cores));
    if (problems.length === 0) return;
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    throw new ImageError(`Image ${this.path} is damaged: ${problems[0]}${more}`, {
      path: this.path,
      problems,
    });
  }

  /**
   * Removes the image. The job's other images stay, `latest` leads to the newest of them.
   *
   * @example Keep only the newest image of a job
   * ```ts
   * import { images } from "@ckpt/ckpt";
   *
   * const dir = await Deno.makeTempDir();
   * const old = (await images(dir)).filter((image) => image.job === "sim").slice(0, -1);
   * for (const image of old) await image.remove();
   * ```
   */
  async remove(): Promise<void> {
    const job = dirname(this.path);
    // Renamed first: whoever looks meanwhile finds it whole or not at all.
    const hidden = join(job, `.${basename(this.path)}-${crypto.randomUUID()}`);
    await Deno.rename(this.path, hidden);
    await syncLatest(job);
    await Deno.remove(hidden, { recursive: true });
  }

  static async #openDirectory(path: string, core?: string): Promise<Image> {
    const first = core ? await Core.read(core) : undefined;
    const others = (await list(path)).filter((name) => name.endsWith(".core"))
      .map((name) => join(path, name)).filter((path) => path !== core);
    const cores = await Promise.all(others.map((path) => Core.read(path)));
    if (first) cores.push(first);
    const leader = cores.find((core) => core.process.pid === core.image.leader);
    const { image } = leader ?? cores[0]!;
    const problem = !leader
      ? `the core of its leader, process ${image.leader}, is missing`
      : image.process_count !== cores.length
      ? `${cores.length} of its ${image.process_count} processes are there`
      : cores.some((core) => hex(core.image.id) !== hex(image.id))
      ? "its cores are of different images"
      : undefined;
    if (problem) {
      throw new ImageError(`Cannot read image ${path}: ${problem}`, { path, problems: [problem] });
    }
    cores.sort((a, b) =>
      Number(b === leader) - Number(a === leader) || a.process.pid - b.process.pid
    );
    try {
      let size = 0;
      for (const core of cores) size += (await Deno.stat(core.path)).size + carriedSize(core);
      return new Image(await Deno.realPath(path), { cores, size });
    } catch (cause) {
      throw asImageError(path, cause);
    }
  }

  static async #openNewest(job: string, numbers: string[]): Promise<Image> {
    let problem: unknown;
    for (const name of numbers.toReversed()) {
      try {
        return await Image.#openDirectory(join(job, name));
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        problem ??= error;
      }
    }
    throw problem;
  }
}

/** The names in a directory. */
export async function list(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map((entry) => entry.name);
  } catch (cause) {
    throw asImageError(path, cause, "directory");
  }
}

async function problemsOf(core: Core, cores: readonly Core[]): Promise<string[]> {
  try {
    return [
      ...(await core.problems()).map((problem) => `${basename(core.path)}: ${problem}`),
      ...inheritedProblems(core, cores),
      ...await carriedProblems(core),
    ];
  } catch (cause) {
    throw asImageError(core.path, cause);
  }
}

function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}
