/**
 * PHP's FastCGI process manager with workers, asked without a web server. Its scripts keep nothing in memory, so entries
 * are in files.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import type { Running, Server } from "../programs_servers.ts";
import { type Answer, type Request, sessionOver } from "./http.ts";
import { type Connect, expect, Wrong } from "./ledger.ts";
import { Wire } from "./wire.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();

/** Kinds of FastCGI records. */
const BEGIN = 1, END = 3, PARAMS = 4, INPUT = 5, OUTPUT = 6;

function record(kind: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  return new Uint8Array([1, kind, 0, 1, length >> 8, length & 255, 0, 0, ...content]);
}

/** Lengths are four bytes each, or one. */
function params(all: Record<string, string>): Uint8Array {
  const length = (text: string) => [128, 0, text.length >> 8, text.length & 255];
  return new Uint8Array(
    Object.entries(all).flatMap((
      [name, value],
    ) => [...length(name), ...length(value), ...encoder.encode(name + value)]),
  );
}

/** Asks over a connection of its own, as a web server does. */
async function ask(port: number, { method, path, body = "" }: Request): Promise<Answer> {
  const wire = await Wire.to(port);
  try {
    const none = new Uint8Array(), input = encoder.encode(body);
    const values = params({
      SCRIPT_FILENAME: "/proc/self/cwd/serve.php",
      REQUEST_METHOD: method,
      REQUEST_URI: path,
      CONTENT_LENGTH: `${input.length}`,
    });
    await wire.send(record(BEGIN, new Uint8Array([0, 1, 0, 0, 0, 0, 0, 0])));
    for (const part of [values, none]) await wire.send(record(PARAMS, part));
    for (const part of input.length > 0 ? [input, none] : [none]) {
      await wire.send(record(INPUT, part));
    }
    let said = "";
    for (;;) {
      const [, kind, , , high, low, padding] = await wire.bytes(8);
      const content = decoder.decode(await wire.bytes((high! << 8) + low!));
      await wire.bytes(padding!);
      if (kind === END) break;
      if (kind !== OUTPUT) throw new Wrong(`php-fpm says "${content}"`);
      said += content;
    }
    const head = said.split("\r\n\r\n", 1)[0]!;
    const status = Number(/^Status: (\d+)/m.exec(head)?.[1] ?? 200);
    return { status, body: said.slice(head.length + 4) };
  } finally {
    wire.close();
  }
}

const connect: Connect = async (port, client) => {
  await ask(port, { method: "GET", path: `/${client}` });
  return sessionOver((what) => ask(port, what), { client, close: () => {} });
};

const WORKERS = 3;

/** The ids of the workers, once so many have been met that are not among those. */
async function workers(port: number, others: string[] = []): Promise<string[]> {
  const found = new Set<string>();
  for (const end = Date.now() + 20_000; found.size < WORKERS; await delay(1)) {
    if (Date.now() > end) throw new Wrong(`only the workers ${[...found]} answer`);
    const { body } = await ask(port, { method: "GET", path: "/worker" });
    if (!others.includes(body)) found.add(body);
  }
  return [...found].sort();
}

/** The same workers are there; after a SIGUSR2, upon which the master begins itself anew, others are. */
async function reload({ job, port }: Running, said: string): Promise<void> {
  const old = await workers(port);
  expect(old.join(), said, "the workers");
  await job.kill("SIGUSR2");
  await workers(port, old);
}

export const php: Server = {
  name: "php-fpm",
  command: `sh -c 'sed "s/PORT/$PORT/; s,HERE,$PWD," ../input/fpm.conf > fpm.conf
    cp ../input/serve.php . && mkdir -m 777 entries && exec php-fpm8.2 -n -F -p . -y fpm.conf'`,
  needs: { "php-fpm8.2": "php8.2-fpm" },
  inputs: {
    "fpm.conf": `[global]
error_log = errors
process_control_timeout = 10
[pool]
listen = 127.0.0.1:PORT
user = nobody
group = nogroup
chdir = HERE
pm = static
pm.max_children = ${WORKERS}
catch_workers_output = yes
`,
    "serve.php": `<?php
[, $client, $what] = explode("/", $_SERVER["REQUEST_URI"]) + [2 => ""];
if ($client === "worker") { usleep(20000); exit((string) getmypid()); }
$file = fopen("entries/$client", "a+");
flock($file, LOCK_EX);
rewind($file);
$text = stream_get_contents($file);
if ($_SERVER["REQUEST_METHOD"] === "GET") exit($what === "all" ? $text : (string) substr_count($text, "\n"));
if ((int) $what !== substr_count($text, "\n") + 1) { http_response_code(409); exit; }
$x = 7;
for ($i = 0; $i < 100000; $i++) $x = $x * 16807 % 2147483647;
fwrite($file, file_get_contents("php://input") . "\n");
echo $x === 327821858 ? $what : $x;
`,
  },
  // For workers that are not root's.
  prepare: "chmod 711 ..",
  processes: 1 + WORKERS,
  inPlace: true,
  connect,
  before: async ({ port }) => (await workers(port)).join(),
  after: reload,
};
