/**
 * An HTTP server of Node's, with keep-alive connections, a log that is a stream, and answers that are streams.
 *
 * @module
 */
import { connectHttp } from "./http.ts";
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
