import { closeStreams, endChild } from "./child.ts";
import { receiveReport, type Report } from "./control.ts";
import { Errno, Library, NativeError } from "./library.ts";
import { output } from "./paths.ts";

/** How to start the program `restart`. */
export interface RestartProcessOptions extends Deno.CommandOptions {
  args: string[];
}

/** The program `restart`, as far as it talks at its control socket. */
export class RestartProcess implements Disposable {
  /** Its process. */
  readonly child: Deno.ChildProcess;
  readonly #library = new Library();
  readonly #listener: number;
  #connection = -1;
  #heard?: Promise<unknown>;

  constructor(options: RestartProcessOptions) {
    const { listener, cookie } = this.#library.listen();
    this.#listener = listener;
    try {
      this.child = new Deno.Command(output("restart"), {
        ...options,
        args: [`--control=${cookie.toString(16).padStart(16, "0")}`, ...options.args],
      }).spawn();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#connection, this.#listener]) if (fd >= 0) this.#library.close(fd);
    this.#library[Symbol.dispose]();
  }

  /** What it says next, which is to be `kind`; otherwise it has ended, and what `failure` makes of that is thrown. */
  hear(
    kind: Report["kind"],
    failure: (words: string, errno?: number) => Error,
  ): Promise<Report> {
    const report = this.#expect(kind, failure);
    this.#heard = report.catch(() => {});
    return report;
  }

  /** Lets it go on, where it waits for that. */
  go(): void {
    try {
      this.#library.send(this.#connection, new Uint8Array(1));
    } catch (error) {
      if (!(error instanceof NativeError)) throw error; // it has ended: its status says so
    }
  }

  /** Ends it before it has said that its program runs. Returns once nothing is left. */
  async cancel({ signal }: { signal: boolean }): Promise<void> {
    try {
      if (signal) this.child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await this.#heard; // nobody is to listen there when it is closed
    if (this.#connection >= 0) this.#library.close(this.#connection);
    this.#connection = -1;
    await this.child.status;
    await closeStreams(this.child);
  }

  async #expect(
    kind: Report["kind"],
    failure: (words: string, errno?: number) => Error,
  ): Promise<Report> {
    const report = await this.#receive().catch(async (cause) => {
      await endChild(this.child);
      throw cause;
    });
    if (report?.kind === kind) return report;
    await closeStreams(this.child);
    const { code } = await this.child.status;
    const words = report?.text || `restart ended with status ${code} before the program ran`;
    throw failure(words, report?.errno);
  }

  /** Undefined when it ends without a word. */
  async #receive(): Promise<Report | undefined> {
    if (this.#connection < 0 && !await this.#accept()) return undefined;
    return await receiveReport(this.#library, { connection: this.#connection });
  }

  async #accept(): Promise<boolean> {
    const { pid } = this.child;
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
