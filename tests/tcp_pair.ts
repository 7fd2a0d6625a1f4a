/**
 * Two programs on two machines with a TCP connection between them, of which one is saved and comes back.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { connect, Machine } from "./network.ts";
import { built, eventually, run, TempDir } from "./support.ts";
import { asUser, Target, type Who } from "./target.ts";

/** The option of save and restart that all of this is about. */
export const repair = ["--tcp=repair"];

/** Two machines with a program on each, and a TCP connection between the two. */
export class Pair implements AsyncDisposable {
  readonly #left: Target[] = [];

  private constructor(
    readonly dir: TempDir,
    readonly here: Machine,
    readonly there: Machine,
    public program: Target,
    readonly peer: Target,
  ) {}

  static async make(
    options: {
      six?: boolean;
      local?: boolean;
      as?: Who;
      machine?: Who;
      env?: Record<string, string>;
    } = {},
  ): Promise<Pair> {
    const dir = await TempDir.make();
    const [here, there] = [await Machine.make(options.machine), await Machine.make()];
    await connect(here, there);
    const address = (number: number) =>
      options.local ? "127.0.0.1" : options.six ? `fd09::${number}` : `10.9.0.${number}`;
    const stream = built("tests/tcp_stream");
    const peer = Target.launch([stream, "accept", address(2), "7000"], {
      dir: dir.join("peer"),
      within: options.local ? here.within : there.within,
    });
    await peer.waitFor("LISTENS\n");
    const program = Target.launch([stream, "connect", address(1), "7000", address(2)], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
      within: [...here.within, ...asUser(options.as)],
      env: options.env,
    });
    await Promise.all([peer.waitFor("READY\n"), program.waitFor("READY\n")]);
    return new Pair(dir, here, there, program, peer);
  }

  get job(): string {
    return this.dir.join("ckpt", "job");
  }

  async save(...options: string[]): Promise<{ code: number; stderr: string }> {
    const command = [built("ckpt"), "save", ...options, ...repair, `${this.program.programPid}`];
    return await run([...this.here.within, ...command]);
  }

  /** Saves the program and ends it. */
  async leave(): Promise<void> {
    const { code, stderr } = await this.save("--kill");
    assertEquals(code, 0, stderr);
    await this.program.end();
  }

  /** Brings it back, on this machine or another one. */
  comeBack(machine: Machine = this.here, options: string[] = repair): void {
    this.#left.push(this.program);
    this.program = Target.restart(this.job, { options, within: machine.within });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const target of [...this.#left, this.program, this.peer]) {
      await target[Symbol.asyncDispose]();
    }
    await this.here[Symbol.asyncDispose]();
    await this.there[Symbol.asyncDispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

/** Has an order carried out: the number that comes with the answer. */
export async function tell(target: Target, order: string): Promise<number> {
  const before = target.stdout.text.length;
  const word = order.split(" ")[0]!;
  await target.send(`${order}\n`);
  const answer = await eventually(`${order}: ${target.stderr.text}`, () => {
    if (target.ended && target.stderr.ended) throw new Error(`${order}: ${target.stderr.text}`);
    return new RegExp(`^${word} (\\d+)\n`).exec(target.stdout.text.slice(before)) ?? undefined;
  });
  return Number(answer[1]);
}

/** Bytes in both queues of the program: what it has not read, and what the other side has no room for. */
export async function fillBothWays(
  { program, peer, here }: Pair,
): Promise<{ toRead: number; written: number }> {
  await tell(peer, "narrow 50000");
  await tell(peer, "write 300000");
  await tell(program, "await 300000");
  await tell(program, "read 1000");
  let written = 0;
  await eventually("a timer that asks for room", async () => {
    written += await tell(program, "fill 20000000");
    return / 04:/.test(await here.run("cat", "/proc/net/tcp", "/proc/net/tcp6"));
  });
  return { toRead: 299000, written };
}

/** Everything that was written arrives, once, and then the connection works as before. */
export async function expectAll(
  { program, peer }: Pair,
  { toRead, written }: { toRead: number; written: number },
): Promise<void> {
  await Promise.all([tell(program, `read ${toRead}`), tell(peer, `read ${written}`)]);
  await Promise.all([tell(program, "write 3000000"), tell(peer, "read 3000000")]);
  await Promise.all([tell(peer, "write 3000000"), tell(program, "read 3000000")]);
  await tell(program, "options");
}

export async function expectEnd({ program, peer }: Pair): Promise<void> {
  await tell(program, "end");
  await tell(peer, "eof");
  await tell(peer, "end");
  await tell(program, "eof");
  for (const target of [program, peer]) {
    await target.send("go\n");
    await target.succeed();
  }
}
