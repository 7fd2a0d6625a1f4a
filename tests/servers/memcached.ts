/**
 * memcached with four threads: each client has many keys, which it adds only when they are not there.
 *
 * @module
 */
import { contents, expect, type Session, Wrong } from "./ledger.ts";
import type { Server } from "../programs_servers.ts";
import { Wire } from "./wire.ts";

async function connect(port: number, client: number): Promise<Session> {
  const wire = await Wire.to(port);
  const keyOf = (n: number) => `${client}-${n}`;
  /** Until here, entries may be there: an addition whose answer was lost may be done a moment after a restart. */
  let mayBeThere = 0;

  /** How many of the entries from one to another are there, with the right contents; the first ones, all others missing. */
  async function present(first: number, last: number): Promise<number> {
    const keys = Array.from({ length: last - first + 1 }, (_, i) => keyOf(first + i));
    await wire.send(`get ${keys.join(" ")}\r\n`);
    for (let n = first;; n++) {
      const [word, key, , length] = (await wire.line()).split(" ");
      if (word === "END") return n - first;
      if (word !== "VALUE") throw new Wrong(`memcached answers "${word}"`);
      expect(key, keyOf(n), "the next key");
      expect(await wire.text(Number(length) + 2), `${contents(client, n)}\r\n`, `key ${key}`);
    }
  }

  return {
    count: async (from, to) => {
      mayBeThere = to;
      return from + await present(from + 1, to + 2);
    },
    add: async (n) => {
      const text = contents(client, n);
      await wire.send(`add ${keyOf(n)} 0 0 ${text.length}\r\n${text}\r\n`);
      const word = await wire.line();
      if (n > mayBeThere || word !== "NOT_STORED") expect(word, "STORED", `add of ${keyOf(n)}`);
    },
    verify: async (count) => {
      let found = 0;
      while (found < count) {
        const last = Math.min(found + 100, count);
        found += await present(found + 1, last);
        expect(found, last, `the number of keys of client ${client}`);
      }
      expect(await present(count + 1, count + 2), 0, "the number of keys that nobody added");
    },
    close: () => wire.close(),
  };
}

export const memcached: Server = {
  name: "memcached",
  command: "memcached -u root -l 127.0.0.1 -p $PORT -U 0 -t 4 -m 256",
  needs: { memcached: "memcached" },
  connect,
};
