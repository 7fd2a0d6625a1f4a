/**
 * nginx under wrk: in one process, and with workers. It knows nothing of its clients, but its log must have each request once, and each
 * file that it sends must be whole.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { request, workers } from "./http.ts";
import { type Connect, expect, Wrong } from "./ledger.ts";
import { checkLog } from "./log.ts";
import type { Running, Server } from "../programs_servers.ts";
import { Wire } from "./wire.ts";

const FILES = 12;

/** From a few bytes to more than fit into a socket. */
function file(i: number): string {
  return `file ${i} `.repeat(4 ** (i % 9));
}

const connect: Connect = async (port, client) => {
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

const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
  `${name}_temp_path ${name};`
).join("\n  ");

const common = {
  needs: { nginx: "nginx-light", wrk: "wrk" },
  connect,
  load: "wrk -t 1 -c 20 -d 60 http://127.0.0.1:$PORT/load",
  check: checkLog,
};

/** nginx with some directives at its beginning. */
function start(directives: string): string {
  return `sh -c 'sed s/PORT/$PORT/ ../input/nginx.conf > nginx.conf
    exec nginx -p . -c nginx.conf -e errors -g "daemon off; ${directives}"'`;
}

const inputs = {
  "nginx.conf": `pid pid;
events { worker_connections 512; }
http {
  ${temporary}
  log_format numbers "$arg_client $arg_n $status";
  sendfile on;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:PORT;
    root ../input;
    access_log log numbers;
    location = /load { access_log off; return 200 "one of many\n"; }
    location = /worker { access_log off; return 200 "$pid of configuration 0"; }
  }
}
`,
  ...Object.fromEntries(Array.from({ length: FILES }, (_, i) => [`${i}`, file(i)])),
};

export const nginx: Server = {
  name: "nginx",
  command: start("master_process off;"),
  inputs,
  ...common,
};

const WORKERS = 2;

async function childrenOf(pid: number): Promise<string[]> {
  return (await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`)).trim().split(" ");
}

/** The same workers are there; after a SIGHUP others are, with another configuration. */
async function reload({ job, cwd, port }: Running, said: string): Promise<void> {
  expect((await workers(port, WORKERS)).join(), said, "the workers");
  const path = join(cwd, "nginx.conf");
  const number = Number(/configuration (\d+)/.exec(said)![1]) + 1;
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace(/configuration \d+/, `configuration ${number}`));
  const old = new Set(await childrenOf(job.pid));
  await job.kill("SIGHUP");
  for (const end = Date.now() + 20_000;; await delay(5)) {
    const children = await childrenOf(job.pid);
    if (children.length === WORKERS && !children.some((child) => old.has(child))) break;
    if (Date.now() > end) throw new Wrong(`${[...old]} are still among the workers ${children}`);
  }
  for (const answer of await workers(port, WORKERS)) {
    expect(answer.replace(/^\d+/, ""), ` of configuration ${number}`, "what a new worker says");
  }
}

export const nginxWithWorkers: Server = {
  name: "nginx with workers",
  command: start(`worker_processes ${WORKERS}; user nobody nogroup;`),
  inputs,
  // For workers that are not root's.
  prepare: "chmod 711 ..",
  processes: 1 + WORKERS,
  before: async ({ port }) => (await workers(port, WORKERS)).join(),
  after: reload,
  ...common,
};
