/**
 * What every test stands on: built programs, temporary directories, and waiting for events instead of sleeping.
 *
 * @module
 */
import { dirname, join, resolve } from "@std/path";
import { delay } from "@std/async/delay";

export const root = resolve(dirname(new URL(import.meta.url).pathname), "..");
export const isRoot = Deno.uid() === 0;

/** Patience: what is waited for comes in milliseconds, and a busy machine may take its time. */
export const DEADLINE_MS = 120_000;

/** Path of a build output, or of a test program as `tests/NAME`. */
export function built(name: string): string {
  return join(root, "build", name);
}

/** Builds what tests use; concurrent test files take turns. */
async function buildParts(): Promise<void> {
  await Deno.mkdir(built("tests"), { recursive: true });
  const made = await new Deno.Command("flock", {
    args: [built("tests.lock"), "make", "-s", "-C", root, "test-parts"],
    env: { MAKEFLAGS: "", MAKELEVEL: "" },
  }).output();
  if (!made.success) {
    throw new Error(`Cannot build the test programs: ${new TextDecoder().decode(made.stderr)}`);
  }
}

/** Addresses must differ from run to run, or a restart that depends on luck passes. */
async function randomizeAddresses(): Promise<void> {
  const path = "/proc/sys/kernel/randomize_va_space";
  const setting = (await Deno.readTextFile(path)).trim();
  if (setting === "2") return;
  if (!isRoot) {
    console.error(`note: address randomization is ${setting} on this machine, not 2`);
    return;
  }
  await Deno.writeTextFile(path, "2");
  globalThis.addEventListener("unload", () => Deno.writeTextFileSync(path, setting));
}

await buildParts();
await randomizeAddresses();

/** A directory of its own, gone with its contents at the end of the scope. */
export class TempDir implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Made open to everyone, so that an ordinary user's program can work in it too. */
  static async make(): Promise<TempDir> {
    const path = await Deno.makeTempDir({ prefix: "ckpt-test-" });
    await Deno.chmod(path, 0o777);
    return new TempDir(path);
  }

  join(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Fails a test by the exit code: an error thrown here would take the place of the one that the test ends with. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await Deno.remove(this.path, { recursive: true });
    } catch (error) {
      console.error(error);
      Deno.exitCode = 1;
    }
  }
}

/** Asks again and again until there is an answer; says what was missing when the deadline passes. */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer as T;
    if (performance.now() > deadline) throw new Error(`Waited in vain: ${what}`);
    await delay(2);
  }
}

/** Text as it comes out of a stream. */
export class Output {
  text = "";
  #ended = false;
  readonly done: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.done = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) this.text += decoder.decode(bytes, { stream: true });
    this.#ended = true;
  }

  get ended(): boolean {
    return this.#ended;
  }
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Why a test of what this program holds is skipped: it ends with 77 where there is none such. False: there is. */
export async function givesNone(command: string[]): Promise<string | false> {
  return (await run(command)).code === 77 && "this machine gives none";
}

/** Runs a command to its end. */
export async function run(
  command: string[],
  options: Deno.CommandOptions = {},
): Promise<RunResult> {
  const [program, ...args] = command as [string, ...string[]];
  const result = await new Deno.Command(program, { stdin: "null", ...options, args }).output();
  const decoder = new TextDecoder();
  return {
    code: result.code,
    stdout: decoder.decode(result.stdout),
    stderr: decoder.decode(result.stderr),
  };
}

/** Is there such a program on PATH? */
export async function isInstalled(program: string): Promise<boolean> {
  return (await run(["sh", "-c", `command -v ${program}`])).code === 0;
}

/** A test that is left out for a reason, which its name then says; `false` is no reason. */
export function testUnless(
  reason: string | false,
  name: string,
  fn: () => Promise<void> | void,
): void {
  if (reason) Deno.test({ name: `${name} (skipped: ${reason})`, ignore: true, fn });
  else Deno.test(name, fn);
}
