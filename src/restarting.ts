import { basename, dirname, join, resolve } from "@std/path";
import { detachedJob } from "./detached.ts";
import { RestartError } from "./errors.ts";
import { fromShell, Job } from "./job.ts";
import { removeRunning } from "./job_directory.ts";
import { identify, identityOf } from "./proc.ts";
import type { RestartOptions } from "./restart.ts";
import { RestartProcess } from "./restart_process.ts";

/** Of several copies: the first changes files outside, for all of them. */
export type CopyRole = "first" | "further";

/** A program that is about to come back. */
export class Restarting implements Disposable {
  readonly #path: string;
  readonly #options: RestartOptions;
  readonly #process: RestartProcess;

  /** Starts it; of several copies, as one of them. */
  constructor(path: string, options: RestartOptions, copy?: CopyRole) {
    this.#path = path;
    this.#options = options;
    this.#process = new RestartProcess({
      args: [...flags(options), ...(copy ? [`--copy=${copy}`] : []), path],
      stdin: options.stdin ?? "inherit",
      stdout: options.stdout ?? "inherit",
      stderr: options.stderr ?? "inherit",
    });
  }

  [Symbol.dispose](): void {
    this.#process[Symbol.dispose]();
  }

  /** Of a copy: waits until it would run. The path of its image. Throws a RestartError. */
  async ready(): Promise<string> {
    return (await this.#process.hear("ready", (...why) => this.#failure(...why))).text;
  }

  /** Of a copy that is ready: lets it run. */
  go(): void {
    this.#process.go();
  }

  /** Of a copy that is not to run after all. Returns once nothing is left of it. */
  async cancel(): Promise<void> {
    // Of a detached one the child is the one in front, which waits for the other.
    await this.#process.cancel({ signal: !this.#options.detach });
  }

  /** The job, once its program runs. Throws a RestartError. */
  async job(): Promise<Job> {
    const { child } = this.#process;
    const options = this.#options;
    const pid = (await this.#process.hear("done", (...why) => this.#failure(...why))).number;
    const origin = { restart: await identify(child.pid) };
    const directory = await jobDirectory(this.#path, options.name);
    if (options.detach) return await detachedJob({ child, pid, directory });
    const process = await identityOf(pid);
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

  #failure(words: string, errno?: number): RestartError {
    const path = this.#path;
    const problems = words.split("\n").filter(Boolean).map((problem) =>
      problem.startsWith(`${path}: `) ? problem.slice(path.length + 2) : problem
    );
    return new RestartError(`Cannot restart ${path}: ${problems.join("; ")}`, {
      path,
      problems,
      errno,
    });
  }
}

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

/** The directory of the job that an image is restarted as. */
export async function jobDirectory(path: string, name?: string): Promise<string> {
  let directory = await Deno.realPath(resolve(path)).catch(() => resolve(path));
  if (directory.endsWith(".core")) directory = dirname(directory);
  if (/^\d+\.ckpt$/.test(basename(directory))) directory = dirname(directory);
  return name === undefined ? directory : join(dirname(directory), name);
}
