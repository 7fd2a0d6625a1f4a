/**
 * HTTP clients that keep their connection.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { type Connect, contents, expect, type Session, Wrong } from "./ledger.ts";
import { Wire } from "./wire.ts";

export interface Request {
  method: string;
  path: string;
  body?: string;
}

export interface Answer {
  status: number;
  body: string;
}

/** One request over a connection that stays open. */
export async function request(
  wire: Wire,
  { method, path, body }: Request,
): Promise<Answer> {
  const length = body === undefined ? "" : `Content-Length: ${body.length}\r\n`;
  await wire.send(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${length}\r\n${body ?? ""}`);
  const first = await wire.line();
  const status = Number(/^HTTP\/1.1 (\d+)/.exec(first)?.[1]);
  if (!status) throw new Wrong(`the server answers "${first}"`);
  let size: number | undefined;
  for (let line; (line = await wire.line()) !== "";) {
    const [name, value] = line.toLowerCase().split(/:\s*/);
    if (name === "content-length") size = Number(value);
    if (name === "connection" && value === "close") throw new Wrong("the server wants to close");
  }
  return { status, body: size === undefined ? await chunks(wire) : await wire.text(size) };
}

async function chunks(wire: Wire): Promise<string> {
  let body = "";
  for (;;) {
    const size = parseInt(await wire.line(), 16);
    body += await wire.text(size);
    expect(await wire.line(), "", "what follows a chunk");
    if (size === 0) return body;
  }
}

/**
 * For servers of our own writing: `POST /CLIENT/N` adds an entry, and is refused with status 409 when it is not the
 * next; `GET /CLIENT` gives the number of entries, `GET /CLIENT/all` gives them, one a line.
 */
export function sessionOver(
  ask: (request: Request) => Promise<Answer>,
  { client, close }: { client: number; close: () => void },
): Session {
  let mayBeThere = 0;
  async function get(path: string): Promise<string> {
    const { status, body } = await ask({ method: "GET", path });
    expect(status, 200, `the status of ${path}`);
    return body;
  }
  return {
    count: async (_, to) => {
      mayBeThere = to;
      return Number(await get(`/${client}`));
    },
    add: async (n) => {
      const path = `/${client}/${n}`;
      const { status, body } = await ask({ method: "POST", path, body: contents(client, n) });
      if (status === 409 && n <= mayBeThere) return;
      expect(`${status} ${body}`, `200 ${n}`, `the answer to ${path}`);
    },
    verify: async (count) => {
      const lines = (await get(`/${client}/all`)).split("\n");
      expect(lines.pop(), "", "what follows the last line");
      expect(lines.length, count, `the number of entries of client ${client}`);
      lines.forEach((line, i) => expect(line, contents(client, i + 1), `entry ${i + 1}`));
    },
    close,
  };
}

/** Such a session over one connection. */
export const connectHttp: Connect = async (port, client) => {
  const wire = await Wire.to(port);
  return sessionOver((what) => request(wire, what), { client, close: () => wire.close() });
};

/** The answer to one question, over a connection of its own. */
async function ask(port: number, path: string): Promise<string> {
  const wire = await Wire.to(port);
  try {
    const { status, body } = await request(wire, { method: "GET", path });
    expect(status, 200, `the status of ${path}`);
    return body;
  } finally {
    wire.close();
  }
}

/** What the workers of a server say of themselves at /worker, once so many of them have been met. */
export async function workers(port: number, howMany: number): Promise<string[]> {
  const found = new Set<string>();
  for (const end = Date.now() + 20_000; found.size < howMany; await delay(1)) {
    if (Date.now() > end) throw new Wrong(`only ${[...found]} answer`);
    found.add(await ask(port, "/worker"));
  }
  return [...found].sort();
}
