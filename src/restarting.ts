import { basename, dirname, join, resolve } from "@std/path";
import { closeStreams, endChild } from "./child.ts";
import { receiveReport, type Report } from "./control.ts";
import { RestartError } from "./errors.ts";
import { fromShell, Job } from "./job.ts";
import { readKept, removeRunning } from "./job_directory.ts";
import { Errno, Library, NativeError } from "./library.ts";
import { output } from "./paths.ts";
import { bootId, identify, readStat } from "./proc.ts";
import type { RestartOptions } from "./restart.ts";

/** A `restart`, from its start until its program runs. */
export class Restarting implements Disposable {
  readonly #library = new Library();
  readonly #path: string;
  readonly #options: RestartOptions;
  readonly #child: Deno.ChildProcess;
  readonly #listener: number;
  #connection = -1;
  #heard?: Promise<unknown>;

  private constructor(path: string, options: RestartOptions, copy?: CopyRole) {
    this.#path = path;
    this.#options = options;
    const { listener, cookie } = this.#library.listen();
    this.#listener = listener;
    try {
      this.#child = new Deno.Command(output("restart"), {
        args: [
          ...flags(options),
          ...(copy ? [`--copy=${copy}`] : []),
          `--control=${cookie.toString(16).padStart(16, "0")}`,
          path,
        ],
        stdin: options.stdin ?? "inherit",
        stdout: options.stdout ?? "inherit",
        stderr: options.stderr ?? "inherit",
      }).spawn();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Starts one; of several copies, as one of them. */
  static start(path: string, options: RestartOptions, copy?: CopyRole): Restarting {
    return new Restarting(path, options, copy);
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#connection, this.#listener]) if (fd >= 0) this.#library.close(fd);
    this.#library[Symbol.dispose]();
  }

  /** Of a copy: waits until it would run. The path of its image. Throws a RestartError. */
  async ready(): Promise<string> {
    return (await this.#hear("ready")).text;
  }

  /** Of a copy that is ready: lets it run. */
  go(): void {
    try {
      this.#library.send(this.#connection, new Uint8Array(1));
    } catch (error) {
      if (!(error instanceof NativeError)) throw error; // it has ended: its status says so
    }
  }

  /** Of a copy that is not to run after all. Returns once nothing is left of it. */
  async cancel(): Promise<void> {
    try {
      if (!this.#options.detach) this.#child.kill("SIGTERM"); // else the one in front, which waits for the other
    } catch {
      // It has ended by itself.
    }
    await this.#heard; // nobody is to listen there when it is closed
    if (this.#connection >= 0) this.#library.close(this.#connection);
    this.#connection = -1;
    await this.#child.status;
    await closeStreams(this.#child);
  }

  /** The job, once its program runs. Throws a RestartError. */
  async job(): Promise<Job> {
    const child = this.#child;
    const options = this.#options;
    const pid = (await this.#hear("done")).number;
    // It may have ended by now: then nobody has its identity, and nobody gets a signal meant for it.
    const startTime = (await readStat(pid))?.startTime ?? 0n;
    const process = { pid, startTime, bootId: await bootId() };
    const origin = { restart: await identify(child.pid) };
    const directory = await jobDirectory(this.#path, options.name);
    if (options.detach) {
      await child.status; // the one in front
      const kept = await readKept(directory);
      return Job.from({
        process: kept?.pid === pid ? kept : process,
        directory,
        origin: { restart: kept?.keeper },
      });
    }
    return Job.from({
      process,
      directory,
      child,
      keep: options,
      translate: fromShell,
      origin,
      ended: () => removeRunning(directory, process),
    });
  }

  /** What it says next, which is to be this. */
  #hear(kind: Report["kind"]): Promise<Report> {
    const report = this.#expect(kind);
    this.#heard = report.catch(() => {});
    return report;
  }

  async #expect(kind: Report["kind"]): Promise<Report> {
    const child = this.#child;
    const report = await this.#receive().catch(async (cause) => {
      await endChild(child);
      throw cause;
    });
    if (report?.kind === kind) return report;
    await closeStreams(child);
    throw failure(this.#path, { report, status: await child.status });
  }

  /** Undefined when it ends without a word. */
  async #receive(): Promise<Report | undefined> {
    if (this.#connection < 0 && !await this.#accept()) return undefined;
    return await receiveReport(this.#library, { connection: this.#connection });
  }

  async #accept(): Promise<boolean> {
    const { pid } = this.#child;
    const uid = Deno.uid() ?? 0;
    let pidfd = -1;
    try {
      pidfd = this.#library.openProcess(pid);
      const from = { pidfd, pid, uid, timeout: -1 };
      this.#connection = await this.#library.accept(this.#listener, from);
      return true;
    } catch (error) {
      if (error instanceof NativeError && error.errno === Errno.SRCH) return false;
      throw error;
    } finally {
      if (pidfd >= 0) this.#library.close(pidfd);
    }
  }
}

/** Of several copies: the first changes files outside, for all of them. */
export type CopyRole = "first" | "further";

/** The options of the program `restart`. */
function flags(options: RestartOptions): string[] {
  const flags: string[] = [];
  if (options.name !== undefined) flags.push("--name", options.name);
  if (options.quiet) flags.push("--quiet");
  if (options.pid) flags.push(`--pid=${options.pid}`);
  if (options.files) flags.push(`--files=${options.files}`);
  if (options.clocks) flags.push(`--clocks=${options.clocks}`);
  if (options.tcp) flags.push(`--tcp=${options.tcp}`);
  for (const [old, now] of Object.entries(options.map ?? {})) flags.push(`--map=${old}=${now}`);
  if (options.cwd !== undefined) flags.push(`--chdir=${options.cwd}`);
  for (const [fd, path] of Object.entries(options.fds ?? {})) flags.push(`--fd=${fd}=${path}`);
  if (options.detach) flags.push("--detach");
  if (options.pty) flags.push("--pty");
  if (options.noTty) flags.push("--no-tty");
  if (options.stopped) flags.push("--stopped");
  if (options.anyOwner) flags.push("--any-owner");
  if (options.ignoreCpu) flags.push("--ignore-cpu");
  return flags;
}

function failure(
  path: string,
  of: { report?: Report; status: Deno.CommandStatus },
): RestartError {
  const words = of.report?.text ||
    `restart ended with status ${of.status.code} before the program ran`;
  const problems = words.split("\n").filter(Boolean).map((problem) =>
    problem.startsWith(`${path}: `) ? problem.slice(path.length + 2) : problem
  );
  return new RestartError(`Cannot restart ${path}: ${problems.join("; ")}`, {
    path,
    problems,
    errno: of.report?.errno,
  });
}

/** The directory of the job that an image is restarted as. */
export async function jobDirectory(path: string, name?: string): Promise<string> {
  let directory = await Deno.realPath(resolve(path)).catch(() => resolve(path));
  if (directory.endsWith(".core")) directory = dirname(directory);
  if (/^\d+\.ckpt$/.test(basename(directory))) directory = dirname(directory);
  return name === undefined ? directory : join(dirname(directory), name);
}
