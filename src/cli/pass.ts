import { readStat } from "../proc.ts";

const PASSED: readonly Deno.Signal[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
];

/** What the terminal sends to its whole foreground group, the program included. */
const FROM_TERMINAL: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT"];

/**
 * Passes the signals that this process gets on to a program, for as long as it is in scope; and so this
 * process does not die of them before the program has.
 */
export class SignalPasser implements Disposable {
  readonly #listeners = PASSED.map((signal) => ({ signal, listener: () => this.#pass(signal) }));
  readonly #early: Deno.Signal[] = [];
  readonly #shares: boolean;
  #job?: { kill(signal: Deno.Signal): Promise<void> };

  /** `shares`: whether the program has the terminal that this process has. */
  constructor({ shares = true }: { shares?: boolean } = {}) {
    this.#shares = shares;
    for (const { signal, listener } of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  [Symbol.dispose](): void {
    for (const { signal, listener } of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  /** The program to pass them to. Those that came before are passed now. */
  async to(job: { kill(signal: Deno.Signal): Promise<void> }): Promise<void> {
    this.#job = job;
    for (const signal of this.#early.splice(0)) await job.kill(signal);
  }

  async #pass(signal: Deno.Signal): Promise<void> {
    if (this.#shares && FROM_TERMINAL.includes(signal) && await isInForeground()) return;
    if (this.#job) await this.#job.kill(signal);
    else this.#early.push(signal);
  }
}

async function isInForeground(): Promise<boolean> {
  const stat = await readStat("self");
  return stat !== undefined && stat.group === stat.foreground;
}
