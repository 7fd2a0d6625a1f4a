/**
 * Clients of a web server that sends files. It knows nothing of its clients, but its log must have each request once, and each file
 * that it sends must be whole.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { join } from "@std/path";
import type { Running } from "../programs_servers.ts";
import { request, workers } from "./http.ts";
import { type Connect, expect, Wrong } from "./ledger.ts";
import { Wire } from "./wire.ts";

const FILES = 12;

/** From a few bytes to more than fit into a socket. */
function file(i: number): string {
  return `file ${i} `.repeat(4 ** (i % 9));
}

/** Asks for one file after the other. */
export const connectForFiles: Connect = async (port, client) => {
  const wire = await Wire.to(port);
  return {
    // What was sent may be logged or not: its number is not used again.
    count: (_, to) => Promise.resolve(to),
    add: async (n) => {
      const which = (client + n) % FILES;
      const path = `/${which}?client=${client}&n=${n}`;
      const { status, body } = await request(wire, { method: "GET", path });
      expect(status, 200, `the status of ${path}`);
      if (body !== file(which)) expect(body.slice(0, 60), file(which).slice(0, 60), path);
      expect(body.length, file(which).length, `the length of ${path}`);
    },
    verify: () => Promise.resolve(),
    close: () => wire.close(),
  };
};

/** The files. */
export const files: Record<string, string> = Object.fromEntries(
  Array.from({ length: FILES }, (_, i) => [`${i}`, file(i)]),
);

async function childrenOf(pid: number): Promise<string[]> {
  return (await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`)).trim().split(" ");
}

/** The same workers are there; after a signal others are, with another configuration. */
export async function reload(
  { job, cwd, port }: Running,
  { said, conf, signal }: { said: string; conf: string; signal: Deno.Signal },
): Promise<void> {
  const howMany = said.split(",").length;
  expect((await workers(port, howMany)).join(), said, "the workers");
  const path = join(cwd, conf);
  const number = Number(/configuration (\d+)/.exec(said)![1]) + 1;
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace(/configuration \d+/, `configuration ${number}`));
  const old = new Set(await childrenOf(job.pid));
  await job.kill(signal);
  for (const end = Date.now() + 60_000;; await delay(5)) {
    const children = await childrenOf(job.pid);
    if (children.length === howMany && !children.some((child) => old.has(child))) break;
    if (Date.now() > end) throw new Wrong(`${[...old]} are still among the workers ${children}`);
  }
  for (const answer of await workers(port, howMany)) {
    expect(answer.replace(/^\d+/, ""), ` of configuration ${number}`, "what a new worker says");
  }
}
