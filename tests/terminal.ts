/**
 * A terminal that a test holds: what a person would type and see.
 *
 * @module
 */
import { asUser, type Who } from "./target.ts";
import { built, eventually, isInstalled, Output, run } from "./support.ts";
import { descendants, stateOf } from "./process.ts";

/** Why there are no terminals here, false when there are. */
export const terminalObstacle: string | false = !await isInstalled("script") &&
  "script is not installed";

export interface TerminalOptions {
  /** The working directory. */
  cwd: string;
  as?: Who;
  /** Rows and columns. */
  size?: [number, number];
}

/** A new terminal in which a shell runs a command. */
export class Terminal implements AsyncDisposable {
  readonly output: Output;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #seen = 0;

  constructor(command: string, readonly options: TerminalOptions) {
    const [rows, columns] = options.size ?? [24, 80];
    const script = `stty rows ${rows} cols ${columns}; ${command}`;
    const [program, ...args] = [...asUser(options.as), "script", "-qefc", script, "/dev/null"];
    this.#child = new Deno.Command(program!, {
      args,
      cwd: options.cwd,
      env: { TERM: "xterm", SHELL: "/bin/sh", HOME: options.cwd },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.output = new Output(this.#child.stdout);
    this.status = this.#child.status;
    this.#writer = this.#child.stdin.getWriter();
  }

  async type(keys: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(keys));
  }

  /** Until these words have been shown, after what was waited for before. */
  async shows(words: string): Promise<void> {
    await eventually(words, () => {
      const at = this.output.text.indexOf(words, this.#seen);
      if (at < 0) return false;
      this.#seen = at + words.length;
      return true;
    }).catch((error) => {
      throw new Error(`${error.message}\n${JSON.stringify(this.output.text)}`);
    });
  }

  /** The process of this name that runs here, once it waits for something. */
  process(name: string): Promise<number> {
    return eventually(
      name,
      () =>
        descendants(this.#child.pid).find((pid) => nameOf(pid) === name && stateOf(pid) === "S"),
    );
  }

  /** Everything that was shown, once the command has ended. */
  async end(): Promise<string> {
    await this.status;
    await this.output.done;
    return this.output.text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of [...descendants(this.#child.pid), this.#child.pid]) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    await this.#writer.close().catch(() => {});
    await this.end();
  }
}

function nameOf(pid: number): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/comm`).trimEnd();
  } catch {
    return undefined;
  }
}

/** Saves a program that `underCkpt` has started in a terminal, from elsewhere, and ends it by signal 9. */
export async function saveAndKill(terminal: Terminal, name: string): Promise<void> {
  const { as, cwd } = terminal.options;
  const pid = await terminal.process(name);
  const saved = await run([...asUser(as), built("ckpt"), "save", String(pid)], { cwd });
  if (saved.code !== 0) throw new Error(saved.stderr);
  Deno.kill(pid, "SIGKILL");
}

/** The words of a shell that run a command under libckpt.so, as the job "job" in `ckpt`. */
export function underCkpt(command: string): string {
  return `env LD_PRELOAD=${built("libckpt.so")} CKPT_DIR=ckpt CKPT_NAME=job ${command}`;
}
