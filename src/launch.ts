import { basename, dirname, join, resolve } from "@std/path";
import { endChild } from "./child.ts";
import { checkDetached, detachedJob } from "./detached.ts";
import { type Duration, milliseconds } from "./duration.ts";
import { defaultDirectory } from "./images.ts";
import { Job } from "./job.ts";
import { checkJobName, readRunning, removeRunning, writeRunning } from "./job_directory.ts";
import { checkKeepOptions, type KeepOptions } from "./keeper.ts";
import { output } from "./paths.ts";
import { identityOf } from "./proc.ts";
import { checkProgram, findProgram } from "./program.ts";
import { RestartProcess } from "./restart_process.ts";
import { filePatterns, type WithFiles } from "./with_files.ts";

/** Where a stream of a program leads. */
export type Stream = "inherit" | "piped" | "null";

/** How to launch a program. */
export interface LaunchOptions extends KeepOptions {
  /** Name of the job, PROGRAM-PID when none is given. */
  name?: string;
  /** Directory of jobs, `$CKPT_DIR` or `ckpt` when none is given. */
  dir?: string;
  /**
   * How long its threads may take to stop for a checkpoint, from one second to a day: in the kernel, waiting for a
   * disk, they cannot. 10 s when not given.
   */
  timeout?: Duration;
  /** Working directory of the program. */
  cwd?: string;
  /** Variables to add to its environment. */
  env?: Record<string, string>;
  /** Whether its environment has nothing else. */
  clearEnv?: boolean;
  /** Of which open files every image carries the contents, none when not given. */
  withFiles?: WithFiles;
  /** Whether every image holds TCP connections to other processes, for `restart()` with `tcp: "repair"`. */
  tcp?: "repair";
  /** Its input, `inherit` when not given. */
  stdin?: Stream;
  /** Its output, `inherit` when not given. */
  stdout?: Stream;
  /** Its error output, `inherit` when not given. */
  stderr?: Stream;
  /** Ends the program with SIGTERM when aborted. */
  signal?: AbortSignal;
  /**
   * Whether the program runs on by itself, in a session of its own, with a `restart` in the background that looks
   * after it. The job is then like one that was attached to, but knows its exit status. Its output goes where that of
   * this process does, or to the file `output` of the job's directory when that is a terminal.
   */
  detach?: boolean;
}

/**
 * Starts a program under checkpoint control.
 *
 * @param command The program, and its arguments.
 * @throws {Deno.errors.NotFound} when there is no such program.
 * @throws {Deno.errors.NotSupported} when it could not be saved: it is static, for example.
 * @throws {Deno.errors.AlreadyExists} when a job of that name runs.
 * @throws {Deno.errors.PermissionDenied} when its images could not be written.
 * @throws {Deno.errors.NotADirectory} when a file is where they would go.
 * @throws {TypeError} when a detached program is to have what only this process could give it.
 *
 * @example Save a long simulation every ten minutes
 * ```ts
 * import { launch } from "@ckpt/ckpt";
 *
 * const dir = await Deno.makeTempDir();
 * await using job = await launch(["sleep", "0.1"], { name: "sim", dir, every: "10m", keep: 3 });
 * console.log((await job.status).code);
 * ```
 */
export async function launch(command: string[], options: LaunchOptions = {}): Promise<Job> {
  const [name, ...args] = command;
  if (name === undefined) throw new TypeError("Cannot run nothing: name a program");
  checkKeepOptions(options);
  if (options.detach) checkDetached(options);
  if (options.detach && options.signal) {
    throw new TypeError("Nobody is there to end a detached program when it is aborted");
  }
  const timeout = timeoutVariable(options.timeout);
  filePatterns(options.withFiles);
  const inherited = options.clearEnv ? {} : Deno.env.toObject();
  const env = { ...inherited, ...options.env };
  const cwd = resolve(options.cwd ?? ".");
  const program = await findProgram(name, {
    cwd,
    path: env.PATH ?? "/usr/local/bin:/usr/bin:/bin",
  });
  await checkProgram(program);

  const directory = resolve(options.dir ?? defaultDirectory());
  const jobName = options.name ?? env.CKPT_NAME;
  if (jobName !== undefined) await checkName(jobName, directory);
  const tidy = await makeDirectory(directory);
  try {
    await checkWritable(directory, jobName);
  } catch (cause) {
    await tidy();
    throw cause;
  }

  const started: Started = {
    program,
    directory,
    name: jobName,
    options,
    command: {
      args,
      cwd,
      env: {
        ...env,
        ...(jobName === undefined ? {} : { CKPT_NAME: jobName }),
        ...timeout,
        ...(options.withFiles === undefined
          ? {}
          : { CKPT_WITH_FILES: filePatterns(options.withFiles) }),
        ...(options.tcp === undefined ? {} : { CKPT_TCP: options.tcp }),
        CKPT_DIR: directory,
        LD_PRELOAD: preload(env.LD_PRELOAD),
      },
      clearEnv: true,
      stdin: options.stdin ?? "inherit",
      stdout: options.stdout ?? "inherit",
      stderr: options.stderr ?? "inherit",
    },
  };
  try {
    return options.detach ? await startDetached(started) : await startHere(started, tidy);
  } catch (cause) {
    await tidy();
    throw cause;
  }
}

/** What is started, and how. */
interface Started {
  program: string;
  directory: string;
  name?: string;
  options: LaunchOptions;
  command: Deno.CommandOptions & { args: string[]; env: Record<string, string> };
}

/** As a child of this process. */
async function startHere(started: Started, tidy: () => Promise<void>): Promise<Job> {
  const { program, directory, name, options, command } = started;
  const id = `${Deno.pid}-${crypto.randomUUID()}`;
  const env = { ...command.env, CKPT_JOB: id };
  const child = new Deno.Command(program, { ...command, env, signal: options.signal }).spawn();
  // The child is ours and not yet waited for, so its id cannot be another's.
  const process = await identityOf(child.pid);
  const path = join(directory, name ?? `${basename(program)}-${child.pid}`);
  try {
    await writeRunning(path, process);
  } catch (cause) {
    await endChild(child);
    throw cause;
  }
  return Job.from({
    process,
    directory: path,
    child,
    keep: options,
    timeout: options.timeout,
    origin: { id },
    ended: async () => {
      await removeRunning(path, process);
      await tidy();
    },
  });
}

/** As a child of a `restart` in the background. */
async function startDetached(
  { program, directory, name, options, command }: Started,
): Promise<Job> {
  using process = new RestartProcess({
    ...command,
    args: [
      `--launch=${directory}`,
      ...(name === undefined ? [] : [`--name=${name}`]),
      "--",
      program,
      ...command.args,
    ],
  });
  const report = await process.hear(
    "done",
    (words) => new Error(`Cannot run ${program}: ${words}`),
  );
  const { child } = process;
  const { timeout } = options;
  return await detachedJob({ child, pid: report.number, directory: report.text, timeout });
}

/** libckpt takes whole seconds. */
function timeoutVariable(timeout: Duration | undefined): Record<string, string> {
  if (timeout === undefined) return {};
  const seconds = Math.ceil(milliseconds(timeout) / 1000);
  if (seconds > 86_400) throw new RangeError(`Cannot wait ${timeout}: a day is the most`);
  return { CKPT_TIMEOUT: `${seconds}` };
}

async function checkName(name: string, directory: string): Promise<void> {
  checkJobName(name);
  const running = await readRunning(join(directory, name));
  if (running) {
    throw new Deno.errors.AlreadyExists(
      `Cannot run ${JSON.stringify(name)}: it runs already, as process ${running.pid}`,
    );
  }
}

/** Makes a directory and those above it. Gives back what removes again what was made, where it is empty. */
async function makeDirectory(path: string): Promise<() => Promise<void>> {
  const missing: string[] = [];
  for (let at = path; !await Deno.stat(at).then(() => true, () => false); at = dirname(at)) {
    missing.push(at);
  }
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (cause) {
    throw unusable(path, cause);
  }
  return async () => {
    for (const directory of missing) {
      if (!await Deno.remove(directory).then(() => true, () => false)) return;
    }
  };
}

/** Found out before the program begins: what it has done by the time its first image fails is done. */
async function checkWritable(directory: string, jobName?: string): Promise<void> {
  const own = jobName === undefined ? directory : join(directory, jobName);
  const place = await Deno.lstat(own).then(() => own, () => directory);
  try {
    const trial = await Deno.makeTempFile({ dir: place, prefix: ".launch-" });
    // With a byte in it, for which a full disk has no room.
    await Deno.writeTextFile(trial, "\n").finally(() => Deno.remove(trial));
  } catch (cause) {
    throw unusable(place, cause);
  }
}

function unusable(path: string, cause: unknown): Error {
  const words = (why: string) => `Cannot keep images in ${path}: ${why}`;
  if (cause instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(words("you may not write there"), { cause });
  }
  if (cause instanceof Deno.errors.NotADirectory || cause instanceof Deno.errors.AlreadyExists) {
    return new Deno.errors.NotADirectory(words("a file is in the way"), { cause });
  }
  return new Error(words(cause instanceof Error ? cause.message : String(cause)), { cause });
}

function preload(others: string | undefined): string {
  const library = output("libckpt.so");
  if (/[ :]/.test(library)) {
    throw new Deno.errors.NotSupported(
      `Cannot preload ${library}: the dynamic loader takes no path with a space or colon`,
    );
  }
  return others ? `${library}:${others}` : library;
}
