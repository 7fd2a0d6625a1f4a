/**
 * Servers that nobody here wrote. Each runs under libckpt while clients outside the job write entries to it; three times, at
 * random moments, it is saved, runs on, is killed with signal 9 and restarted, and the clients connect again. What a
 * client was told is done before a checkpoint is never lost, and nothing is there twice (tests/servers/ledger.ts).
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { type Image, type Job, launch, restart } from "../mod.ts";
import { makeInputs, type Prepared, sh } from "./programs_prepare.ts";
import { Clients } from "./servers/clients.ts";
import type { Connect, Ledger } from "./servers/ledger.ts";
import { apache } from "./servers/apache.ts";
import { go } from "./servers/go.ts";
import { gunicorn } from "./servers/gunicorn.ts";
import { haproxy } from "./servers/haproxy.ts";
import { java } from "./servers/java.ts";
import { memcached } from "./servers/memcached.ts";
import { nginx, nginxWithWorkers } from "./servers/nginx.ts";
import { node, nodeCluster } from "./servers/node.ts";
import { php } from "./servers/php.ts";
import { redis, redisSaving } from "./servers/redis.ts";
import { slapd } from "./servers/slapd.ts";
import { varnish } from "./servers/varnish.ts";

const RESTARTS = 3;

/** A server that runs. */
export interface Running {
  job: Job;
  cwd: string;
  port: number;
}

/** One server. */
export interface Server extends Prepared {
  /** Words for sh, run in a fresh directory: it listens at $PORT of 127.0.0.1. Inputs are under ../input. */
  command: string;
  connect: Connect;
  /** How many clients write at the same time: 8 when not given. */
  clients?: number;
  /** A command for sh that asks much of $PORT, and whose answers nobody checks; run again and again. */
  load?: string;
  /** Whether it need not end with status 0 when it is asked to by SIGTERM. */
  endsBySignal?: boolean;
  /** How many processes each image must have, 1 when not given. */
  processes?: number;
  /** It changes files that it does not hold open, so it is killed in the moment when its image is on disk. */
  inPlace?: boolean;
  /** Brings it to what it is to be saved in, and gives what it must still say once it is back. */
  before?: (at: Running) => Promise<string>;
  /** Looks at it once it is back, while no client is, and asks what else it must be able to do. */
  after?: (at: Running, said: string) => Promise<void>;
  /** Looks at what the server leaves in its directory. */
  check?: (cwd: string, ledgers: Ledger[]) => Promise<void>;
  /** A command for sh, as `command`: a server that is started where the first one has ended must know all that it knew. */
  again?: string;
}

export const servers: Server[] = [
  redis,
  memcached,
  nginx,
  node,
  java,
  go,
  nginxWithWorkers,
  redisSaving,
  php,
  nodeCluster,
  apache,
  haproxy,
  varnish,
  slapd,
  gunicorn,
];

/** A port that nobody uses, below those that the kernel gives to clients, which could take it between kill and restart. */
function freePort(random: () => number): number {
  for (;;) {
    const port = 15000 + Math.floor(random() * 15000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Runs a command again and again until it is told to stop. */
function runLoad(command: string, env: Record<string, string>): () => Promise<void> {
  let child: Deno.ChildProcess;
  let isStopping = false;
  const streams = { stdin: "null", stdout: "null", stderr: "null" } as const;
  const done = (async () => {
    while (!isStopping) {
      child = new Deno.Command("sh", { args: ["-c", `exec ${command}`], env, ...streams }).spawn();
      await child.status;
      // It ends at once while the server is away.
      await delay(50);
    }
  })();
  return async () => {
    isStopping = true;
    try {
      child.kill("SIGKILL");
    } catch (error) {
      // It has just ended.
      if (!(error instanceof TypeError)) throw error;
    }
    await done;
  };
}

/** Ends a server by SIGTERM. */
async function end(job: Job, server: Server): Promise<void> {
  await job.kill("SIGTERM");
  const status = await job.status;
  if (status.success || server.endsBySignal && status.signal === "SIGTERM") return;
  throw new Error(`ended with status ${status.signal ?? status.code}`);
}

interface Place {
  cwd: string;
  dir: string;
  env: Record<string, string>;
}

const streams = { stdin: "null", stdout: "null", stderr: "null" } as const;

async function start(command: string, { cwd, dir, env }: Place): Promise<Job> {
  const words = `exec ${command} > out 2> err`;
  return await launch(["sh", "-c", words], { ...streams, cwd, dir, name: "job", env });
}

/** Saves a server and kills it; what its clients did until then is in the image. */
async function saveAndKill(
  { job, clients, inPlace, random }: {
    job: Job;
    clients: Clients;
    inPlace: boolean;
    random: () => number;
  },
): Promise<Image> {
  for (const ledger of clients.ledgers) ledger.beforeCheckpoint();
  if (inPlace) clients.down();
  const image = await job.checkpoint({ kill: inPlace });
  for (const ledger of clients.ledgers) ledger.afterCheckpoint();
  if (inPlace) {
    await job.status;
    return image;
  }
  // What it does from here on is lost.
  await delay(random() * 200);
  clients.down();
  await job.kill("SIGKILL");
  return image;
}

/** Saves, kills and restarts a server under load; one line about it. */
async function runServer(
  server: Server,
  { place, clients, random }: { place: Place; clients: Clients; random: () => number },
): Promise<string> {
  let job = await start(server.command, place);
  const { cwd } = place, port = Number(place.env.PORT);
  const untilEnd = async <T>(step: Promise<T>) => {
    const gone = job.status.then(({ signal, code }) => {
      throw new Error(`ended with status ${signal ?? code}`);
    });
    return await Promise.race([step, gone, clients.failure]);
  };
  try {
    clients.up();
    for (let i = 0; i < RESTARTS; i++) {
      await untilEnd(clients.progress());
      await untilEnd(delay(200 + random() * 600));
      const said = await untilEnd(server.before?.({ job, cwd, port }) ?? Promise.resolve(""));
      const image = await saveAndKill({ job, clients, inPlace: server.inPlace ?? false, random });
      const { length } = image.processes, least = server.processes ?? 1;
      if (length < least) throw new Error(`its image has ${length} processes instead of ${least}`);
      // Its workers may be another user's.
      job = await restart(image, { ...streams, anyOwner: true });
      await untilEnd(server.after?.({ job, cwd, port }, said) ?? Promise.resolve());
      clients.up();
    }
    await untilEnd(clients.progress());
    await untilEnd(clients.stop());
    await end(job, server);
  } finally {
    await clients.abandon();
    await job[Symbol.asyncDispose]();
  }
  const entries = clients.ledgers.reduce((sum, { done }) => sum + done, 0);
  return `${entries} entries of ${clients.ledgers.length} clients, restarted ${RESTARTS} times`;
}

/** A server that was never restarted finds all in the files of the one that was. */
async function lookAgain(server: Server, place: Place, ledgers: Ledger[]): Promise<void> {
  const port = Number(place.env.PORT);
  await using job = await start(server.again!, { ...place, dir: `${place.dir}-again` });
  for (const ledger of ledgers) {
    const session = await reach(() => server.connect(port, ledger.client));
    await session.verify(ledger.done);
    session.close();
  }
  await end(job, server);
}

async function reach<T>(connect: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + 20_000;; await delay(20)) {
    try {
      return await connect();
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) || Date.now() > end) throw error;
    }
  }
}

/** One line about one server, as whoever runs this. */
export async function tryServer(
  server: Server,
  work: string,
  random: () => number,
): Promise<string> {
  await makeInputs(server, join(work, "input"));
  const cwd = join(work, "server");
  await Deno.mkdir(cwd);
  const port = freePort(random);
  const place = { cwd, dir: join(work, "ckpt"), env: { LC_ALL: "C", PORT: `${port}` } };
  const clients = new Clients(server.connect, { port, howMany: server.clients ?? 8 });
  const began = performance.now();
  const stopLoad = server.load ? runLoad(server.load, place.env) : async () => {};
  let words: string;
  try {
    words = await runServer(server, { place, clients, random }).finally(stopLoad);
    await server.check?.(cwd, clients.ledgers);
    if (server.again) await lookAgain(server, place, clients.ledgers);
  } catch (error) {
    const said = await sh("tail -qn 3 out err", cwd).catch(() => "");
    throw new Error(`${error instanceof Error ? error.message : error}\n${said}`.trimEnd());
  }
  return `${((performance.now() - began) / 1000).toFixed(1)} s, ${words}`;
}
