/**
 * HAProxy under wrk: a master, and a worker with four threads that may start no more. It counts in a table what it is
 * asked; each request goes through it twice, over unix sockets in between, of which one has a file that it has renamed.
 *
 * @module
 */
import type { Server } from "../programs_servers.ts";
import { request } from "./http.ts";
import { type Connect, expect } from "./ledger.ts";
import { Wire } from "./wire.ts";

/** Its entries have no contents: it counts one when its number is the next. */
const connect: Connect = async (port, client) => {
  const wire = await Wire.to(port);
  async function ask(method: string, path: string): Promise<number> {
    const { status, body } = await request(wire, { method, path });
    expect(status, 200, `the status of ${method} ${path}`);
    return Number(body);
  }
  const count = () => ask("GET", `/${client}`);
  return {
    count,
    add: async (n) => expect(await ask("POST", `/${client}/${n}`), n, "the number of entries"),
    verify: async (wanted) => expect(await count(), wanted, "the number of entries"),
    close: () => wire.close(),
  };
};

export const haproxy: Server = {
  name: "HAProxy with a worker",
  command: `sh -c 'sed s/PORT/$PORT/ ../input/haproxy.cfg > haproxy.cfg
    exec haproxy -W -S unix@./master -f haproxy.cfg'`,
  needs: { haproxy: "haproxy", wrk: "wrk" },
  inputs: {
    "haproxy.cfg": `global
  nbthread 4
  stats socket unix@./control level admin expose-fd listeners
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend outer
  bind 127.0.0.1:PORT
  http-request set-header client %[path,word(1,/)]
  default_backend both
backend both
  balance roundrobin
  server path unix@./inner check inter 100
  server abstract abns@ckpt-PORT check inter 100
frontend inner
  bind unix@./inner
  bind abns@ckpt-PORT
  stick-table type string len 64 size 100k store gpc0
  http-request track-sc0 req.hdr(client)
  http-request set-var(txn.count) sc0_get_gpc0
  http-request set-var(txn.after) path,word(2,/),sub(txn.count)
  http-request sc-inc-gpc0(0) if METH_POST { var(txn.after) -m int eq 1 }
  http-request return status 200 content-type text/plain lf-string "%[sc0_get_gpc0]"
`,
  },
  processes: 2,
  endsBySignal: true,
  connect,
  load: "wrk -t 1 -c 20 -d 60 http://127.0.0.1:$PORT/load",
};
