/**
 * nginx under wrk: in one process, and with workers.
 *
 * @module
 */
import type { Server } from "../programs_servers.ts";
import { connectForFiles, files, reload } from "./files.ts";
import { workers } from "./http.ts";
import { checkLog } from "./log.ts";

const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
  `${name}_temp_path ${name};`
).join("\n  ");

const common = {
  needs: { nginx: "nginx-light", wrk: "wrk" },
  connect: connectForFiles,
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
  ...files,
};

export const nginx: Server = {
  name: "nginx",
  command: start("master_process off;"),
  inputs,
  ...common,
};

const WORKERS = 2;

export const nginxWithWorkers: Server = {
  name: "nginx with workers",
  command: start(`worker_processes ${WORKERS}; user nobody nogroup;`),
  inputs,
  // For workers that are not root's.
  prepare: "chmod 711 ..",
  processes: 1 + WORKERS,
  before: async ({ port }) => (await workers(port, WORKERS)).join(),
  after: (at, said) => reload(at, { said, conf: "nginx.conf", signal: "SIGHUP" }),
  ...common,
};
