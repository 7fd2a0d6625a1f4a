/**
 * Many clients of one server, outside the job. They connect, write, and connect again when the server is brought back;
 * a connection that breaks while the server was not killed is a failure, as a wrong answer is at any time.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { type Connect, Ledger, type Session, Wrong } from "./ledger.ts";

export class Clients {
  readonly ledgers: Ledger[];
  /** Rejects when a client fails, never resolves. */
  readonly failure: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #port: number;
  readonly #connect: Connect;
  #all: Promise<void[]> = Promise.resolve([]);
  #up = Promise.withResolvers<void>();
  #life = 0;
  #isStopping = false;
  #hasFailed = false;

  constructor(connect: Connect, to: { port: number; howMany: number }) {
    this.#connect = connect;
    this.#port = to.port;
    this.ledgers = Array.from({ length: to.howMany }, (_, client) => new Ledger(client));
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // whoever waits for it is told
    this.failure = promise;
    this.#fail = (error) => {
      this.#hasFailed = true;
      reject(error);
    };
  }

  /** The server is there. */
  up(): void {
    this.#all = this.#life > 0
      ? this.#all
      : Promise.all(this.ledgers.map((ledger) => this.#run(ledger)));
    this.#up.resolve();
  }

  /** The server is about to be killed. */
  down(): void {
    this.#life++;
    this.#up = Promise.withResolvers();
    for (const ledger of this.ledgers) ledger.down();
  }

  /** Until each has had some entries done since the server came up. */
  async progress(): Promise<void> {
    const isDone = () => this.ledgers.every(({ fresh }) => fresh >= 3);
    for (const end = Date.now() + 20_000; !isDone() && !this.#hasFailed; await delay(10)) {
      const slow = this.ledgers.find(({ fresh }) => fresh < 3);
      if (Date.now() > end) throw new Wrong(`client ${slow?.client} gets no answers`);
    }
    if (this.#hasFailed) await this.failure;
  }

  /** Ends them all, each after it has looked at all of its entries. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.race([this.#all, this.failure]);
  }

  /** Ends them all at once. */
  async abandon(): Promise<void> {
    this.#isStopping = this.#hasFailed = true;
    this.#up.resolve();
    await this.#all;
  }

  async #run(ledger: Ledger): Promise<void> {
    while (!this.#isStopping) {
      await this.#up.promise;
      const life = this.#life;
      try {
        await this.#live(ledger, life);
      } catch (error) {
        if (error instanceof Wrong || life === this.#life) return this.#fail(error);
      }
    }
  }

  /** One connection, as long as it lasts. */
  async #live(ledger: Ledger, life: number): Promise<void> {
    const session = await this.#reach(ledger.client, life);
    try {
      await ledger.resume(session);
      while (!this.#isStopping) await ledger.add(session);
      if (this.#hasFailed) return;
      await session.verify(ledger.done);
      ledger.end();
    } finally {
      session.close();
    }
  }

  /** A server that has just been started does not listen yet; one that was restarted listens at once. */
  async #reach(client: number, life: number): Promise<Session> {
    for (const end = Date.now() + 20_000;; await delay(20)) {
      try {
        return await this.#connect(this.#port, client);
      } catch (error) {
        const isEarly = error instanceof Deno.errors.ConnectionRefused && life === 0;
        if (!isEarly || this.#isStopping || Date.now() > end) throw error;
      }
    }
  }
}
