import { basename, dirname } from "@std/path";
import { closeStreams } from "./child.ts";
import { type Progress, requestCheckpoint } from "./control.ts";
import { type Duration, milliseconds } from "./duration.ts";
import { CheckpointError } from "./errors.ts";
import { Image } from "./image.ts";
import { Keeper, type KeepOptions } from "./keeper.ts";
import { readEnded, type RunningProcess } from "./job_directory.ts";
import { isProcess } from "./proc.ts";
import { waitUntilReady, whyNot } from "./ready.ts";
import { killFamily, type Origin } from "./family.ts";
import { signalName } from "./signals.ts";
import { sendSignal, Watch } from "./watch.ts";
import type { WithFiles } from "./with_files.ts";

/** How a program ended. */
export interface Status {
  /** Whether it ended by itself, with exit status 0. */
  success: boolean;
  /** Its exit status, 128 + N when signal N ended it; null when it is not our child to know of. */
  code: number | null;
  /** The signal that ended it, null for none. */
  signal: Deno.Signal | null;
}

/** Of a program that `restart` looked after, which exits like a shell: 128 + N says that signal N ended it. */
export function fromShell(status: Status | Deno.CommandStatus): Status {
  if (status.signal !== null || status.code === null || status.code <= 128) return status;
  return { ...status, signal: signalName(status.code - 128) };
}

/** How to make a checkpoint. */
export interface CheckpointOptions {
  /** Whether the program is to end once its image is on disk, so that nothing of it is done twice. */
  kill?: boolean;
  /**
   * How long the program may take to answer, and then its threads to stop: in the kernel, waiting for a disk,
   * they cannot. What the job was launched with, or else 10 s, when not given.
   */
  timeout?: Duration;
  /**
   * Of which open files the image carries the contents, to be used when they are gone or changed on restart. As
   * the program was launched when not given.
   */
  withFiles?: WithFiles;
  /**
   * Descendants that are left out of the image, with all that they have started: process ids, and names as `ps`
   * shows them (of which the kernel keeps 15 bytes). They go on undisturbed. The restarted program finds what only
   * they had the other end of closed, and no such children. As CKPT_IGNORE in the program's environment says when
   * not given.
   */
  ignore?: readonly (number | string)[];
  /**
   * Whether the image holds TCP connections to other processes themselves, for `restart()` with `tcp: "repair"`. The
   * program needs CAP_NET_ADMIN. As it was launched when not given.
   */
  tcp?: "repair";
  /** Called while the image is written. */
  onProgress?: (progress: Progress) => void;
}

/** Where a job comes from. */
interface JobSource {
  process: RunningProcess;
  directory: string;
  /** The program itself, or `restart` as its parent. None: it was attached to, or is detached. */
  child?: Deno.ChildProcess;
  /** What is to be done once the program has ended. */
  ended?: () => Promise<void>;
  /** Translates the child's exit status into the program's. */
  translate?: (status: Deno.CommandStatus) => Status;
  keep?: KeepOptions;
  timeout?: Duration;
  origin?: Origin;
}

/**
 * A program under checkpoint control: launched, restarted or attached to.
 *
 * Leaving the scope of `await using` kills a launched or restarted program that still runs, and lets go of
 * an attached or detached one.
 *
 * @example Save a program, kill it, bring it back
 * ```ts
 * import { launch, restart } from "@ckpt/ckpt";
 *
 * const dir = await Deno.makeTempDir();
 * await using job = await launch(["sleep", "2"], { name: "nap", dir });
 * const image = await job.checkpoint();
 * await job.kill();
 *
 * await using again = await restart(image);
 * console.log(await again.status);
 * ```
 */
export class Job implements AsyncDisposable {
  readonly #process: RunningProcess;
  readonly #child?: Deno.ChildProcess;
  readonly #keeper?: Keeper;
  #directory: string;
  #watch?: Watch;
  #status?: Promise<Status>;
  readonly #timeout?: Duration;
  readonly #origin?: Origin;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(source: JobSource) {
    const { process, child, directory } = source;
    this.#process = process;
    this.#directory = directory;
    this.#child = child;
    this.#timeout = source.timeout;
    this.#origin = source.origin;
    if (!child) return;
    this.#status = this.#follow(child, source);
    this.#status.catch(() => {}); // whoever awaits `status` is told
    if (source.keep) this.#keeper = new Keeper(this, source.keep);
  }

  /**
   * Makes a job.
   *
   * @ignore
   */
  static from(source: JobSource): Job {
    return new Job(source);
  }

  /** Id of the program's process, as seen from here. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Name of the job. */
  get name(): string {
    return basename(this.#directory);
  }

  /** Directory of the job's images, absolute. For an attached job an assumption until its first checkpoint. */
  get dir(): string {
    return this.#directory;
  }

  /** How the program ended, once it has. */
  get status(): Promise<Status> {
    return this.#status ??= this.#watched();
  }

  /** The program's input. Throws when it was not asked for as "piped". */
  get stdin(): WritableStream<Uint8Array<ArrayBuffer>> {
    return this.#piped().stdin;
  }

  /** The program's output. Throws when it was not asked for as "piped". */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#piped().stdout;
  }

  /** The program's error output. Throws when it was not asked for as "piped". */
  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#piped().stderr;
  }

  /**
   * Writes an image. Returns once it is on disk; the program goes on, unless it is to be killed.
   *
   * @throws {CheckpointError} when that is not possible: the program goes on in any case.
   *
   * @example How long did the program stand still?
   * ```ts
   * import { launch } from "@ckpt/ckpt";
   *
   * const dir = await Deno.makeTempDir();
   * await using job = await launch(["sleep", "9"], { dir });
   * const image = await job.checkpoint({ kill: true });
   * console.log(image.path, image.made?.pause, "ms");
   * ```
   */
  checkpoint(options: CheckpointOptions = {}): Promise<Image> {
    const next = this.#last.then(() => this.#checkpoint(options));
    this.#last = next.catch(() => {});
    return next;
  }

  /**
   * Sends a signal to the program. SIGKILL, when none is named, goes to its descendants as well, daemons
   * among them, and then the program's end is waited for. A program that has ended stays ended.
   *
   * @example Ask for an end
   * ```ts
   * import { launch } from "@ckpt/ckpt";
   *
   * const dir = await Deno.makeTempDir();
   * await using job = await launch(["sleep", "9"], { dir });
   * await job.kill("SIGTERM");
   * console.log((await job.status).signal);
   * ```
   */
  async kill(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    if (signal !== "SIGKILL") return await sendSignal(this.#process, signal);
    await killFamily(this.#process, this.#origin);
    await this.status;
  }

  /** Kills a program that was launched or restarted here, lets go of one that was attached to or is detached. */
  async [Symbol.asyncDispose](): Promise<void> {
    const keeper = this.#keeper?.stop();
    if (this.#child) {
      await this.kill();
      await closeStreams(this.#child);
    }
    await keeper;
    this.#watch?.stop();
    await this.#status?.catch(() => {});
  }

  async #checkpoint(options: CheckpointOptions): Promise<Image> {
    const process = this.#process;
    const mayLoad = this.#child || process.keeper;
    const ready = mayLoad ? await waitUntilReady(process) : await isProcess(process);
    if (!ready) {
      const { pid } = process;
      const why = await isProcess(process) ? await whyNot(pid) : "it has ended";
      throw new CheckpointError(`Cannot checkpoint process ${pid}: ${why}`, { pid });
    }
    const timeout = options.timeout ?? this.#timeout;
    const report = await requestCheckpoint(process, {
      ...options,
      timeout: timeout === undefined ? undefined : milliseconds(timeout),
    });
    const image = await Image.open(report.text);
    this.#directory = dirname(image.path);
    await this.#keeper?.prune();
    return Image.made(image, {
      pause: report.pauseNs / 1e6,
      duration: report.totalNs / 1e6,
      bytes: report.bytes,
    });
  }

  async #follow(child: Deno.ChildProcess, source: JobSource): Promise<Status> {
    const status = await child.status;
    await this.#keeper?.stop();
    await source.ended?.();
    return source.translate?.(status) ?? status;
  }

  async #watched(): Promise<Status> {
    const unknown = { success: false, code: null, signal: null };
    const { keeper } = this.#process;
    this.#watch = new Watch(this.#process);
    await this.#watch.ended;
    if (this.#watch.stopped) return unknown;
    if (keeper) await (this.#watch = new Watch(keeper)).ended; // it leaves word of the status first
    const code = await readEnded(this.#directory, this.#process);
    return code === undefined ? unknown : fromShell({ success: code === 0, code, signal: null });
  }

  #piped(): Deno.ChildProcess {
    if (this.#child) return this.#child;
    throw new TypeError("An attached or detached job has no streams");
  }
}
