/**
 * Redis under redis-benchmark: each client has a list, and its log of commands, or its dump, must hold the same.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { contents, expect, type Session, Wrong } from "./ledger.ts";
import { sh } from "../programs_prepare.ts";
import type { Running, Server } from "../programs_servers.ts";
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

/** Its keys are few, or some hundreds with "-r". */
const load = "redis-benchmark -p $PORT -q -c 20 -n 100000 -d 100 -t set,get,incr,hset";

const common = {
  needs: { "redis-server": "redis-server", "redis-benchmark": "redis-tools" },
  connect,
};

const start = "redis-server --port $PORT --bind 127.0.0.1 --save '' --appendonly yes " +
  "--auto-aof-rewrite-percentage 0";

export const redis: Server = {
  name: "redis-server",
  command: start,
  again: start,
  load: `${load} -r 1000`,
  ...common,
};

/** What the server says of a background save. */
async function saving(wire: Wire): Promise<Record<string, string>> {
  const text = await command(wire, "INFO", "persistence") as string;
  return Object.fromEntries(text.split("\r\n").map((line) => line.split(":")));
}

async function withWire<T>(port: number, work: (wire: Wire) => Promise<T>): Promise<T> {
  const wire = await Wire.to(port);
  try {
    return await work(wire);
  } finally {
    wire.close();
  }
}

/** Begins a background save: another process writes what there is in this moment, slowly. */
async function beginSave({ port, cwd }: Running): Promise<string> {
  await sh("rm -f dump.rdb", cwd);
  await withWire(port, async (wire) => {
    await command(wire, "CONFIG", "SET", "rdb-key-save-delay", "100000");
    await command(wire, "BGSAVE");
    expect((await saving(wire)).rdb_bgsave_in_progress, "1", "rdb_bgsave_in_progress");
  });
  return "";
}

/** The save goes on, and what it leaves is whole. */
async function endSave({ port, cwd }: Running): Promise<void> {
  await withWire(port, async (wire) => {
    let now = await saving(wire);
    expect(now.rdb_bgsave_in_progress, "1", "rdb_bgsave_in_progress after a restart");
    for (const end = Date.now() + 20_000; now.rdb_bgsave_in_progress === "1"; await delay(10)) {
      if (Date.now() > end) throw new Wrong("the background save does not end");
      now = await saving(wire);
    }
    await command(wire, "CONFIG", "SET", "rdb-key-save-delay", "0");
    expect(now.rdb_last_bgsave_status, "ok", "rdb_last_bgsave_status");
  });
  await sh("redis-check-rdb dump.rdb", cwd);
}

/** It saves as it ends. */
const startSaving = "redis-server --port $PORT --bind 127.0.0.1 --save 3600 1000000000";

export const redisSaving: Server = {
  name: "redis-server with a background save",
  command: startSaving,
  processes: 2,
  // The file is renamed when it is done.
  inPlace: true,
  before: beginSave,
  after: endSave,
  again: startSaving,
  load,
  ...common,
};
