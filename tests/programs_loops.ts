/**
 * The programs of tests/programs.ts with event loops: workers, sockets, timers.
 *
 * @module
 */
import type { Workload } from "./programs_workload.ts";

export const loopWorkloads: Workload[] = [
  {
    name: "node",
    command: "node ../input/loop.js > out",
    needs: { node: "nodejs" },
    inputs: {
      "loop.js": `const { Worker, isMainThread, parentPort } = require("node:worker_threads");
const { createHash } = require("node:crypto");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
if (!isMainThread) {
  parentPort.on("message", ([i, text]) => {
    for (let round = 0; round < 2000; round++) text = createHash("sha256").update(text).digest("hex");
    parentPort.postMessage([i, text]);
  });
} else {
  const workers = [new Worker(__filename), new Worker(__filename)];
  const ask = (worker, i, text) => new Promise((done) => {
    worker.once("message", done);
    worker.postMessage([i, text]);
  });
  (async () => {
    let text = "start", ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    for (let i = 0; i < 120; i++) {
      const [[a, left], [b, right]] = await Promise.all(workers.map((worker, n) => ask(worker, i, text + n)));
      if (a !== i || b !== i) throw new Error("an answer to another question");
      text = left + right;
      await sleep(3);
      console.log(i, createHash("sha1").update(text).digest("hex"));
    }
    clearInterval(timer);
    console.log(ticks > 50 ? "the timer ran" : "the timer stood still");
    await Promise.all(workers.map((worker) => worker.terminate()));
  })();
}
`,
    },
  },
  {
    name: "python3 asyncio",
    command: "/usr/bin/python3 ../input/tasks.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inputs: {
      "tasks.py": `import asyncio, hashlib
async def produce(queue, name):
    text = name
    for i in range(400):
        text = hashlib.sha256(text.encode() * 500).hexdigest()
        await queue.put((name, i, text))
        await asyncio.sleep(0.001)
    await queue.put((name, -1, ""))
def slow(text):
    for _ in range(300):
        text = hashlib.md5(text.encode()).hexdigest()
    return text
async def main():
    queue, last, running = asyncio.Queue(5), {"a": "", "b": "", "c": ""}, 3
    traces = {name: open("trace-" + name, "w") for name in last}
    tasks = [asyncio.create_task(produce(queue, name)) for name in last]
    while running:
        name, i, text = await asyncio.wait_for(queue.get(), 60)
        if i < 0:
            running -= 1
            continue
        last[name] = await asyncio.to_thread(slow, last[name] + text)
        if i % 20 == 0:
            traces[name].write("%d %s\\n" % (i, last[name]))
            traces[name].flush()
    await asyncio.gather(*tasks)
    for name in sorted(last):
        print(name, last[name])
asyncio.run(main())
`,
    },
  },
  {
    name: "java",
    command: "java -cp ../input Loop > out",
    needs: { javac: "default-jdk-headless" },
    prepare: "javac Loop.java",
    inputs: {
      "Loop.java": `import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.security.MessageDigest;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Loop {
  public static void main(String[] args) throws Exception {
    Selector selector = Selector.open();
    Pipe pipe = Pipe.open();
    pipe.source().configureBlocking(false);
    pipe.source().register(selector, SelectionKey.OP_READ);
    ExecutorService pool = Executors.newFixedThreadPool(2);
    byte[] text = "start".getBytes();
    for (int i = 0; i < 200; i++) {
      final byte[] from = text;
      Future<byte[]> answer = pool.submit(() -> {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] to = from;
        for (int round = 0; round < 30000; round++) to = digest.digest(to);
        pipe.sink().write(ByteBuffer.wrap(to));
        return to;
      });
      while (selector.select() == 0) {}
      selector.selectedKeys().clear();
      ByteBuffer read = ByteBuffer.allocate(64);
      pipe.source().read(read);
      text = answer.get();
      System.out.println(i + " " + read.position() + " " + new BigInteger(1, text).toString(16));
    }
    pool.shutdown();
  }
}
`,
    },
  },
  {
    name: "asyncio",
    command: "/usr/bin/python3 ../input/sockets.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inputs: {
      "sockets.py": `import asyncio, hashlib
async def serve(reader, writer):
    digest = hashlib.sha256()
    while line := await reader.readline():
        data = await reader.readexactly(int(line))
        digest.update(data)
        writer.write(data[::-1])
        await writer.drain()
    writer.write(digest.hexdigest().encode())
    writer.close()
async def client(number, reader, writer):
    digest, x = hashlib.sha256(), number
    async def send():
        nonlocal x
        for _ in range(300):
            x = x * 16807 % 2147483647
            data = x.to_bytes(4, "little") * (x % 30000)
            writer.write(b"%d\\n" % len(data) + data)
            await writer.drain()
            await asyncio.sleep(0.003)
        writer.write_eof()
    sending = asyncio.create_task(send())
    while data := await reader.read(65536):
        digest.update(data)
    await sending
    writer.close()
    return "%d %s" % (number, digest.hexdigest())
async def main():
    tcp = await asyncio.start_server(serve, "127.0.0.1", 0)
    unix = await asyncio.start_unix_server(serve, "server.socket")
    port = tcp.sockets[0].getsockname()[1]
    clients = []
    for number in range(1, 9):
        pair = await asyncio.open_connection("127.0.0.1", port) if number % 2 else \\
            await asyncio.open_unix_connection("server.socket")
        clients.append(client(number, *pair))
    for line in await asyncio.gather(*clients):
        print(line)
    unix.close()
    import os
    os.unlink("server.socket")
asyncio.run(main())
`,
    },
  },
  {
    name: "node-http",
    command: "node ../input/http.js > out",
    needs: { node: "nodejs" },
    inputs: {
      "http.js": `const http = require("node:http");
const { createHash } = require("node:crypto");
const server = http.createServer(async (request, response) => {
  const hash = createHash("sha256");
  for await (const chunk of request) hash.update(chunk);
  const digest = hash.digest("hex");
  response.end(digest.repeat(1 + parseInt(digest.slice(0, 3), 16)));
});
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const ask = (port, body) => new Promise((done, fail) => {
  const request = http.request({ port, host: "127.0.0.1", method: "POST", agent }, async (response) => {
    const hash = createHash("sha256");
    for await (const chunk of response) hash.update(chunk);
    done(hash.digest("hex"));
  });
  request.on("error", fail);
  request.end(body);
});
server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address();
  let texts = ["a", "b", "c", "d"];
  for (let i = 0; i < 250; i++) {
    texts = await Promise.all(texts.map((text) => ask(port, text.repeat(1 + i * 13))));
    console.log(i, createHash("sha1").update(texts.join("")).digest("hex"));
    await new Promise((done) => setTimeout(done, 5));
  }
  agent.destroy();
  server.close();
});
`,
    },
  },
  {
    name: "deno",
    command: `${Deno.execPath()} run -A --no-config --no-lock ../input/loop.ts > out`,
    needs: {},
    inputs: {
      "loop.ts": `declare const self: Worker;
const bytes = (text: string) => new TextEncoder().encode(text);
const hex = (data: ArrayBuffer) => new Uint8Array(data).toHex();
async function work(text: string) {
  for (let round = 0; round < 1200; round++) text = hex(await crypto.subtle.digest("SHA-256", bytes(text)));
  return text;
}
if (typeof WorkerGlobalScope === "undefined") {
  const workers = [0, 1].map(() => new Worker(import.meta.url, { type: "module" }));
  const ask = (worker: Worker, i: number, text: string) => new Promise<[number, string]>((done) => {
    worker.onmessage = ({ data }) => done(data);
    worker.postMessage([i, text]);
  });
  let text = "start", ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const trace = await Deno.open("trace", { create: true, write: true });
  for (let i = 0; i < 25; i++) {
    const answers = await Promise.all(workers.map((worker, n) => ask(worker, i, text + n)));
    if (answers.some(([of]) => of !== i)) throw new Error("an answer to another question");
    text = answers.map(([, answer]) => answer).join();
    await new Promise((done) => setTimeout(done, 3));
    await trace.write(bytes(i + " " + text + "\\n"));
    await trace.sync();
    console.log(i, text);
  }
  clearInterval(timer);
  console.log(ticks > 20 ? "the timer ran" : "the timer stood still");
  workers.forEach((worker) => worker.terminate());
} else {
  self.onmessage = async ({ data: [i, text] }) => self.postMessage([i, await work(text)]);
}
`,
    },
  },
];
