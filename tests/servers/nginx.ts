/**
 * nginx in one process under wrk. It knows nothing of its clients, but its log must have each request once, and each
 * file that it sends must be whole.
 *
 * @module
 */
import { request } from "./http.ts";
import { type Connect, expect } from "./ledger.ts";
import { checkLog } from "./log.ts";
import type { Server } from "../programs_servers.ts";
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

export const nginx: Server = {
  name: "nginx",
  command: `sh -c 'sed s/PORT/$PORT/ ../input/nginx.conf > nginx.conf
    exec nginx -p . -c nginx.conf -e errors -g "daemon off; master_process off;"'`,
  needs: { nginx: "nginx-light", wrk: "wrk" },
  inputs: {
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
    location = /load { access_log off; return 200 "one of many\\n"; }
  }
}
`,
    ...Object.fromEntries(Array.from({ length: FILES }, (_, i) => [`${i}`, file(i)])),
  },
  connect,
  load: "wrk -t 1 -c 20 -d 60 http://127.0.0.1:$PORT/load",
  check: checkLog,
};
