/**
 * Redis under redis-benchmark: each client has a list, and its log of commands must hold the same.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { contents, expect, type Session, Wrong } from "./ledger.ts";
import type { Server } from "../programs_servers.ts";
import { Wire } from "./wire.ts";

type Reply = string | number | Reply[];

async function reply(wire: Wire): Promise<Reply> {
  const line = await wire.line();
  const rest = line.slice(1);
  switch (line[0]) {
    case "+":
      return rest;
    case ":":
      return Number(rest);
    case "$":
      return (await wire.text(Number(rest) + 2)).slice(0, -2);
    case "*": {
      const all: Reply[] = [];
      for (let i = 0; i < Number(rest); i++) all.push(await reply(wire));
      return all;
    }
    default:
      throw new Wrong(`redis answers "${line}"`);
  }
}

async function command(wire: Wire, ...words: string[]): Promise<Reply> {
  await wire.send(
    `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join(""),
  );
  return await reply(wire);
}

/** A server that has just been started reads its log first. */
async function isLoading(wire: Wire): Promise<boolean> {
  await wire.send("PING\r\n");
  return (await wire.line()).startsWith("-LOADING");
}

async function connect(port: number, client: number): Promise<Session> {
  const wire = await Wire.to(port);
  while (await isLoading(wire)) await delay(20);
  const key = `list:${client}`;
  return {
    count: async () => await command(wire, "LLEN", key) as number,
    add: async (n) => expect(await command(wire, "RPUSH", key, contents(client, n)), n, key),
    verify: async (count) => {
      const all = await command(wire, "LRANGE", key, "0", "-1") as string[];
      expect(all.length, count, `the length of ${key}`);
      all.forEach((one, i) => expect(one, contents(client, i + 1), `${key}[${i}]`));
    },
    close: () => wire.close(),
  };
}

const start = "redis-server --port $PORT --bind 127.0.0.1 --save '' --appendonly yes " +
  "--auto-aof-rewrite-percentage 0";

export const redis: Server = {
  name: "redis-server",
  command: start,
  needs: { "redis-server": "redis-server", "redis-benchmark": "redis-tools" },
  connect,
  load: "redis-benchmark -p $PORT -q -c 20 -n 100000 -r 1000 -d 100 -t set,get,incr,hset",
  again: start,
};
