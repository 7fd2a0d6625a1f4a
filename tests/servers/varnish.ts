/**
 * Varnish under wrk: its worker has 200 threads, which share an alternate signal stack, and keeps what it caches in a mapped file. What
 * it does not have it fetches from itself. Its configuration is compiled and loaded while it runs.
 *
 * @module
 */
import { join } from "@std/path";
import { sh } from "../programs_prepare.ts";
import type { Running, Server } from "../programs_servers.ts";
import { connectForFiles, files } from "./files.ts";
import { request } from "./http.ts";
import { expect } from "./ledger.ts";
import { Wire } from "./wire.ts";

async function configuration(port: number): Promise<string> {
  const wire = await Wire.to(port);
  try {
    return (await request(wire, { method: "GET", path: "/configuration" })).body;
  } finally {
    wire.close();
  }
}

/** It says what it said, and something else once it has loaded another configuration. */
async function reload({ cwd, port }: Running, said: string): Promise<void> {
  expect(await configuration(port), said, "what it says");
  const next = `configuration ${Number(said.replace(/\D+/, "")) + 1}`;
  const path = join(cwd, "varnish.vcl");
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace(/configuration \d+/, next));
  const name = next.replace(" ", "-");
  const admin = "varnishadm -n $PWD";
  await sh(`${admin} vcl.load ${name} $PWD/varnish.vcl; ${admin} vcl.use ${name}`, cwd);
  expect(await configuration(port), next, "what it says now");
}

export const varnish: Server = {
  name: "Varnish",
  // Without its jail: there the first process has no right to signal the worker.
  command: `sh -c 'sed "s/PORT/$PORT/; s,HERE,$PWD," ../input/varnish.vcl > varnish.vcl
    exec varnishd -F -j none -n $PWD -a 127.0.0.1:$PORT -T 127.0.0.1:0 -f $PWD/varnish.vcl -s file,$PWD/storage,20m'`,
  needs: { varnishd: "varnish", gcc: "gcc", wrk: "wrk" },
  inputs: {
    "varnish.vcl": `vcl 4.1;
import std;
backend default { .host = "127.0.0.1"; .port = "PORT"; }
sub vcl_recv {
  if (req.url == "/configuration" || req.http.from-cache) { return (synth(200)); }
  return (hash);
}
sub vcl_hash {
  hash_data(regsub(req.url, "\\?.*", ""));
  return (lookup);
}
sub vcl_backend_fetch { set bereq.http.from-cache = "yes"; }
sub vcl_backend_response { set beresp.ttl = 500ms; }
sub vcl_synth {
  if (req.http.from-cache) {
    set resp.body = std.fileread(regsub(req.url, "^(/[0-9a-z]+).*", "HERE/../input\\1"));
  } else {
    set resp.body = "configuration 0";
  }
  return (deliver);
}
`,
    load: "one of many\n",
    ...files,
  },
  processes: 2,
  // The file.
  inPlace: true,
  connect: connectForFiles,
  load: "wrk -t 1 -c 20 -d 60 http://127.0.0.1:$PORT/load",
  before: ({ port }) => configuration(port),
  after: reload,
};
