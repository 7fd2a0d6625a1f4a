/**
 * Apache under wrk, with workers of several threads each, which it replaces when it is told to.
 *
 * @module
 */
import type { Server } from "../programs_servers.ts";
import { connectForFiles, files, reload } from "./files.ts";
import { workers } from "./http.ts";
import { checkLog } from "./log.ts";

const WORKERS = 2;
const THREADS = 32;

const modules = ["mpm_event", "authz_core", "env", "setenvif", "lua"]
  .map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n");

export const apache: Server = {
  name: "Apache with workers",
  command: `sh -c 'sed "s/PORT/$PORT/; s,HERE,$PWD," ../input/apache.conf > apache.conf
    exec apache2 -f $PWD/apache.conf -DFOREGROUND'`,
  needs: { apache2: "apache2", wrk: "wrk" },
  inputs: {
    "apache.conf": `ServerRoot HERE
ServerName localhost
Listen 127.0.0.1:PORT
${modules}
User nobody
Group nogroup
PidFile HERE/pid
ErrorLog HERE/errors
DocumentRoot HERE/../input
LuaMapHandler ^/worker$ HERE/../input/worker.lua
SetEnv CONFIGURATION "configuration 0"
SetEnvIfExpr "%{QUERY_STRING} =~ /^client=([0-9]+)&n=([0-9]+)$/" "entry=$1 $2"
CustomLog HERE/log "%{entry}e %s" env=entry
ServerLimit ${WORKERS}
StartServers ${WORKERS}
ThreadsPerChild ${THREADS}
MaxRequestWorkers ${WORKERS * THREADS}
MinSpareThreads ${WORKERS * THREADS}
MaxSpareThreads ${WORKERS * THREADS}
MaxKeepAliveRequests 0
KeepAliveTimeout 60
`,
    "worker.lua": `function handle(r)
  local stat = io.open("/proc/self/stat")
  r:puts(stat:read("n"), " of ", r.subprocess_env["CONFIGURATION"])
  stat:close()
  return apache2.OK
end
`,
    load: "one of many\n",
    ...files,
  },
  // For workers that are not root's.
  prepare: "chmod 711 ..",
  processes: 1 + WORKERS,
  connect: connectForFiles,
  load: "wrk -t 1 -c 20 -d 60 http://127.0.0.1:$PORT/load",
  before: async ({ port }) => (await workers(port, WORKERS)).join(),
  after: (at, said) => reload(at, { said, conf: "apache.conf", signal: "SIGUSR1" }),
  check: checkLog,
};
