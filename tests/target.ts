/**
 * Target: a program that runs under libckpt.so, launched or restarted, without the help of the module under test.
 *
 * @module
 */
import { basename, join, resolve } from "@std/path";
import { built, DEADLINE_MS, eventually, isRoot, Output, run } from "./support.ts";
import {
  descendants,
  describeProcess,
  innerPid,
  isGone,
  kill,
  processesOf,
  stateOf,
} from "./process.ts";

export type Who = "self" | "user";

export interface TargetOptions {
  /** CKPT_DIR; the job is called "job". */
  dir: string;
  /** "user" is uid 1000 when the tests run as root. */
  as?: Who;
  env?: Record<string, string>;
  cwd?: string;
  /** Words in front of the command, which put it into a namespace. */
  within?: string[];
}

export interface RestartOptions extends Omit<TargetOptions, "dir"> {
  /** Options of build/restart. */
  options?: string[];
}

/** The words in front of a command that make it run as an ordinary user. */
export function asUser(who: Who | undefined): string[] {
  return who === "user" && isRoot
    ? ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]
    : [];
}

/** Why nothing can be run as an ordinary user here, false when it can. */
export const userObstacle: string | false = await findUserObstacle();

async function findUserObstacle(): Promise<string | false> {
  if (!isRoot) return "the tests do not run as root, so the others show it";
  const { code } = await run([...asUser("user"), "test", "-x", built("restart")]);
  return code === 0 ? false : "uid 1000 may not enter this directory";
}

/** What keeps processes from tracing others: 1 those that are not their descendants, without a right; 3 all. */
const traceScope = await Deno.readTextFile("/proc/sys/kernel/yama/ptrace_scope").then(
  Number,
  () => 0,
);

/** Why `who` may not trace a process that is no descendant of the tracer's, false when it may. */
export function traceObstacle(who: Who): string | false {
  const limit = isRoot && who === "self" ? 3 : 1;
  return traceScope >= limit && `/proc/sys/kernel/yama/ptrace_scope is ${traceScope}`;
}

/** Everyone as whom a test can run something. */
export const everyone: Who[] = userObstacle ? ["self"] : ["self", "user"];

function isLatest(image: string): boolean {
  try {
    return Deno.readLinkSync(join(image, "../latest")) === basename(image);
  } catch {
    return false;
  }
}

/** Image directories of a job, oldest first. */
export function imagesOf(job: string): string[] {
  try {
    return [...Deno.readDirSync(job)].map((entry) => entry.name)
      .filter((name) => /^\d{6}\.ckpt$/.test(name)).sort().map((name) => join(job, name));
  } catch {
    return [];
  }
}

/** The core files of an image, or of a job's newest image. */
export function coresOf(path: string): string[] {
  const image = imagesOf(path).at(-1) ?? path;
  const names = [...Deno.readDirSync(image)].map((entry) => entry.name);
  const cores = names.filter((name) => name.endsWith(".core")).map((name) => join(image, name));
  if (cores.length === 0) throw new Error(`No core in ${image}: ${names.join(" ")}`);
  return cores;
}

/** The one core file of an image, or of a job's newest image. */
export function coreOf(path: string): string {
  const cores = coresOf(path);
  if (cores.length > 1) throw new Error(`More than one core: ${cores.join(" ")}`);
  return cores[0]!;
}

export class Target implements AsyncDisposable {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  #ended = false;

  private constructor(
    command: string[],
    readonly job: string,
    readonly innerPids: number[] | undefined,
    cwd?: string,
  ) {
    const [program, ...args] = command as [string, ...string[]];
    this.#child = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(cwd ? { cwd } : {}),
    }).spawn();
    this.stdout = new Output(this.#child.stdout);
    this.stderr = new Output(this.#child.stderr);
    this.#stdin = this.#child.stdin.getWriter();
    this.status = this.#child.status.then((status) => {
      this.#ended = true;
      return status;
    });
  }

  /** Starts a program under libckpt.so. */
  static launch(command: string[], options: TargetOptions): Target {
    const variables = {
      LD_PRELOAD: built("libckpt.so"),
      CKPT_DIR: options.dir,
      CKPT_NAME: "job",
      ...options.env,
    };
    const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    return new Target(
      [...asUser(options.as), ...options.within ?? [], "env", ...words, ...command],
      join(options.dir, "job"),
      undefined,
      options.cwd,
    );
  }

  /** Restarts an image directory, or a job's directory. */
  static restart(image: string, options: RestartOptions = {}): Target {
    const words = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
    const pids = coresOf(image).map((core) => Number(basename(core).replace(".core", "")));
    return new Target(
      [
        ...asUser(options.as),
        ...options.within ?? [],
        "env",
        ...words,
        built("restart"),
        ...options.options ?? [],
        image,
      ],
      imagesOf(image).length > 0 ? image : join(image, ".."),
      pids,
      options.cwd,
    );
  }

  /** Of the process that was started: the program itself, or `restart`. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Of the program, as seen from here. */
  get programPid(): number | undefined {
    if (this.innerPids === undefined) return this.pid;
    return descendants(this.pid).find((pid) => this.innerPids!.includes(innerPid(pid)!));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Waits until standard output holds these words. */
  waitFor(words: string): Promise<true> {
    return this.#until(`"${words}" on standard output`, () => this.stdout.text.includes(words));
  }

  /** Waits until standard error holds these words. */
  waitForError(words: string | RegExp): Promise<true> {
    return this.#until(
      `${words} on standard error`,
      () =>
        typeof words === "string" ? this.stderr.text.includes(words) : words.test(this.stderr.text),
    );
  }

  /** Waits until the program's process exists. */
  waitUntilStarted(): Promise<true> {
    return this.#until("the program's process", () => this.programPid !== undefined);
  }

  /** Waits until the program stands in a system call, or its main thread has ended. */
  waitUntilAsleep(): Promise<true> {
    return this.#until("the program sleeps", () => {
      const pid = this.programPid;
      return pid !== undefined && /[SZ]/.test(stateOf(pid) ?? "");
    });
  }

  async #until(what: string, holds: () => boolean): Promise<true> {
    return await eventually(what, () => {
      if (holds()) return true;
      if (this.#ended && this.stdout.ended && this.stderr.ended) {
        throw new Error(`The program ended before ${what}: ${this.#words()}`);
      }
      return false;
    }).catch((error) => {
      throw new Error(`${error.message}\n${this.#words()}\n${this.#describeAll()}`);
    });
  }

  /** Of the program, also those whose parent is another one by now. */
  #processes(): number[] {
    const own = this.#ended ? [] : [this.pid, ...descendants(this.pid)];
    return [...new Set([...own, ...processesOf(resolve(this.job, ".."))])];
  }

  #describeAll(): string {
    return this.#processes().map(describeProcess).join("\n");
  }

  #words(): string {
    return `stdout "${this.stdout.text.slice(-1000)}", stderr "${this.stderr.text.slice(-2000)}"`;
  }

  async send(words: string): Promise<void> {
    try {
      await this.#stdin.write(new TextEncoder().encode(words));
    } catch (error) {
      // Whoever waits for the answer learns that the program has ended, and what it said.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
  }

  /** The proof that a restarted program runs and is back in its wait for orders. */
  async ping(): Promise<void> {
    const before = this.stdout.text.length;
    await this.send("ping\n");
    await this.#until("pong", () => this.stdout.text.slice(before).includes("pong\n"));
    await this.waitUntilAsleep();
  }

  /** Asks for a checkpoint by signal and waits until the image is there and `latest` leads to it. */
  async checkpoint(): Promise<string> {
    const before = imagesOf(this.job).length;
    const pid = this.programPid;
    if (pid === undefined) throw new Error(`No program to checkpoint: ${this.#words()}`);
    Deno.kill(pid, "SIGUSR2");
    await this.#until(
      "an image",
      () => imagesOf(this.job).length > before && isLatest(imagesOf(this.job).at(-1)!),
    );
    return imagesOf(this.job).at(-1)!;
  }

  /** Kills all of the program by signal 9 and waits until nothing is left of it. */
  async kill(): Promise<void> {
    const pid = this.programPid;
    const family = pid === undefined ? [] : [...descendants(pid).reverse(), pid];
    if (!this.#ended) kill(family);
    await this.end();
    await eventually("its processes are gone", () => family.every(isGone));
  }

  /** Waits for the end and the last of the output, of all who may write it; kills those who do not come to it in time. */
  async end(patience = DEADLINE_MS): Promise<Deno.CommandStatus> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const what = this.#ended ? "the end of the last one that may write" : "the program's end";
      late.reject(new Error(`Waited in vain: ${what}\n${this.#words()}\n${this.#describeAll()}`));
      kill(this.#processes());
    }, patience);
    const ended = Promise.all([this.status, this.stdout.done, this.stderr.done]);
    try {
      return (await Promise.race([ended, late.promise]))[0];
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for the end, which must be the one of a test program that found everything in order. */
  async succeed(code = 0): Promise<void> {
    const status = await this.end();
    if (status.code !== code || !this.stdout.text.endsWith("EXIT-SUCCESS\n")) {
      throw new Error(`Ended with ${status.code} (${status.signal}): ${this.#words()}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) {
      kill([...descendants(this.pid).reverse(), this.pid]);
    }
    try {
      await this.end();
    } finally {
      await this.#stdin.close().catch(() => {});
    }
  }
}
