import { Errno, type Library, NativeError } from "./library.ts";

/** What the first word says (native/helper/helper.h). */
const State = { BEGINS: 0, CONNECTED: 1, ENDS: 2 } as const;

/**
 * A stopped process that is held while it is saved: its threads go on without an end of the stop, as far as libckpt's
 * handler and no further.
 */
export class Hold {
  readonly #words = new Int32Array([State.BEGINS, 0, -1]);
  readonly #result: Promise<number>;

  /** Takes hold of a process and asks it. */
  constructor(library: Library, of: { pid: number; listener: number; cookie: bigint }) {
    this.#result = library.hold(of.pid, { ...of, words: this.#words });
  }

  /** To be called when it has answered: the number of the signal that has stopped it. */
  connected(connection: number): number {
    this.#words[2] = connection;
    Atomics.store(this.#words, 0, State.CONNECTED);
    return this.#words[1]!;
  }

  /** Lets it leave the handler and stop there. Throws a NativeError when it could not be held. */
  async end(): Promise<void> {
    Atomics.store(this.#words, 0, State.ENDS);
    const result = await this.#result;
    if (result < 0 && result !== Errno.AGAIN) throw new NativeError("ptrace", result);
  }
}
