/**
 * Clients that know what a server must know: each writes numbered entries, one after the other, and remembers
 * which of them it was told are done. A server that was restarted from an image must have every entry that was done
 * before the image was asked for, and none that was sent after it was made. Whatever the number in between is, the
 * client goes on from it, and in the end each entry must be there once.
 *
 * @module
 */

/** One connection of one client to a server. */
export interface Session {
  /** How many entries the server has of this client. Those up to `from` must be there, those after `to` cannot. */
  count(from: number, to: number): Promise<number>;
  /** Adds the entry of that number, which is one more than there are; returns once the server says that it is done. */
  add(n: number): Promise<void>;
  /** Looks at all entries: there are that many. */
  verify(count: number): Promise<void>;
  close(): void;
}

/** How a client of that number, from 0 on, connects. */
export type Connect = (port: number, client: number) => Promise<Session>;

/** The server is wrong: not what a connection that breaks says. */
export class Wrong extends Error {}

export function expect(is: unknown, expected: unknown, what: string): void {
  if (is !== expected) throw new Wrong(`${what} is ${is} instead of ${expected}`);
}

/** What an entry holds: a few bytes or some hundreds, that no other has. */
export function contents(client: number, n: number): string {
  return `${client}:${n}:`.repeat(1 + (client * 7 + n * 13) % 40);
}

/** What one client was told. */
export class Ledger {
  /** Entries that were sent, and those that the server said are done. */
  sent = 0;
  done = 0;
  /** Ranges of entries that can never be lost any more: after the first, up to the second. */
  readonly kept: [after: number, upTo: number][] = [];
  #after = 0;
  #floor = 0;
  #ceiling = 0;
  /** How many were done since this client has resumed; what a server does until it dies does not count. */
  fresh = 0;

  constructor(readonly client: number) {}

  /** A checkpoint is about to be asked for: what is done now is in it. */
  beforeCheckpoint(): void {
    this.#floor = this.done;
  }

  /** It is made: what is sent from now on is not in it. */
  afterCheckpoint(): void {
    this.#ceiling = this.sent;
  }

  /** The server is gone, and comes back from that image. */
  down(): void {
    this.kept.push([this.#after, this.#floor]);
    this.fresh = -Infinity;
  }

  /** Asks a server that has come up how many entries it has, and goes on from there. */
  async resume(session: Session): Promise<void> {
    const count = await session.count(this.#floor, this.#ceiling);
    if (count < this.#floor || count > this.#ceiling) {
      throw new Wrong(
        `client ${this.client} finds ${count} entries: ${this.#floor} were done before the ` +
          `checkpoint, and ${this.#ceiling} sent when it was made`,
      );
    }
    this.fresh = 0;
    this.#after =
      this.#floor =
      this.#ceiling =
      this.done =
      this.sent =
        count;
  }

  async add(session: Session): Promise<void> {
    this.sent = this.done + 1;
    await session.add(this.sent);
    this.done = this.sent;
    this.fresh++;
  }

  /** All that is done can never be lost any more. */
  end(): void {
    this.kept.push([this.#after, this.done]);
  }
}
