/**
 * HTTP servers of Node's, with keep-alive connections, a log that is a stream, and answers that are streams: one process, and
 * a cluster.
 *
 * @module
 */
import { connectHttp, workers } from "./http.ts";
import { expect } from "./ledger.ts";
import { checkLog } from "./log.ts";
import type { Server } from "../programs_servers.ts";

export const node: Server = {
  name: "node with an HTTP server",
  command: "node ../input/server.js",
  needs: { node: "nodejs" },
  inputs: {
    "server.js": `const fs = require("node:fs");
const http = require("node:http");
const { Readable } = require("node:stream");
const log = fs.createWriteStream("log", { flags: "a" });
const all = new Map();
const server = http.createServer((request, response) => {
  const [, client, what] = request.url.split("/");
  if (!all.has(client)) all.set(client, []);
  const entries = all.get(client);
  if (request.method === "GET") {
    if (what !== "all") return response.end(String(entries.length));
    return Readable.from(entries.map((text) => text + "\\n")).pipe(response);
  }
  const n = Number(what);
  let text = "";
  request.setEncoding("utf8");
  request.on("data", (part) => text += part);
  request.on("end", () => {
    if (n !== entries.length + 1) {
      response.statusCode = 409;
      return response.end(String(entries.length));
    }
    entries.push(text);
    log.write(client + " " + n + " " + text.length + "\\n", () => response.end(what));
  });
});
server.keepAliveTimeout = 600000;
server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => {
  server.closeAllConnections();
  server.close(() => log.end(() => process.exit(0)));
});
`,
  },
  connect: connectHttp,
  check: checkLog,
};

/** The primary accepts connections and hands them to its workers, who ask it for all that is written: it owns the entries. */
export const nodeCluster: Server = {
  name: "node with a cluster",
  command: "node ../input/cluster.js",
  needs: { node: "nodejs" },
  inputs: {
    "cluster.js": `const cluster = require("node:cluster");
const fs = require("node:fs");
const http = require("node:http");
if (cluster.isPrimary) {
  const log = fs.createWriteStream("log", { flags: "a" });
  const all = new Map();
  const workers = [1, 2].map(() => cluster.fork());
  const answer = ({ client, what, text }, done) => {
    if (!all.has(client)) all.set(client, []);
    const entries = all.get(client);
    if (text === undefined) return done(200, what === "all" ? entries.map((one) => one + "\\n").join("") : entries.length);
    if (Number(what) !== entries.length + 1) return done(409, entries.length);
    entries.push(text);
    log.write(client + " " + what + " " + text.length + "\\n", () => done(200, what));
  };
  for (const worker of workers) {
    worker.on("message", (question) =>
      answer(question, (status, body) => worker.send({ id: question.id, status, body: String(body) })));
    worker.on("exit", (code, signal) => {
      if (!worker.exitedAfterDisconnect || code !== 0) process.exit(3);
    });
  }
  process.on("SIGTERM", () => cluster.disconnect(() => log.end(() => process.exit(0))));
} else {
  const waiting = new Map();
  let count = 0;
  const ask = (question) => new Promise((done) => {
    const id = count++;
    waiting.set(id, done);
    process.send({ ...question, id });
  });
  process.on("message", ({ id, status, body }) => {
    waiting.get(id)({ status, body });
    waiting.delete(id);
  });
  process.on("SIGTERM", () => {});
  process.on("disconnect", () => process.exit(0));
  const server = http.createServer(async (request, response) => {
    const [, client, what] = request.url.split("/");
    if (client === "worker") return response.end(cluster.worker.id + " " + process.pid);
    let text = "";
    request.setEncoding("utf8");
    for await (const part of request) text += part;
    const { status, body } = await ask({ client, what, text: request.method === "POST" ? text : undefined });
    response.statusCode = status;
    response.end(body);
  });
  server.keepAliveTimeout = 600000;
  server.listen(Number(process.env.PORT), "127.0.0.1");
}
`,
  },
  processes: 3,
  connect: connectHttp,
  before: async ({ port }) => (await workers(port, 2)).join(),
  after: async ({ port }, said) => expect((await workers(port, 2)).join(), said, "the workers"),
  check: checkLog,
};
