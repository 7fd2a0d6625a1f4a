/**
 * Machines for tests of connections: network namespaces with a cable between two of them, gone with them.
 *
 * @module
 */
import { eventually, isInstalled, isRoot, Output, run } from "./support.ts";
import { asUser, type Who } from "./target.ts";

/** Why no such network can be made here, false when it can. */
export const networkObstacle: string | false = await findObstacle();

async function findObstacle(): Promise<string | false> {
  if (!isRoot) return "only root may make network namespaces";
  for (const program of ["ip", "unshare", "nsenter"]) {
    if (!await isInstalled(program)) return `${program} is not installed`;
  }
  const { code } = await run([
    "unshare",
    "-n",
    "ip",
    "link",
    "add",
    "va",
    "type",
    "veth",
    "peer",
    "name",
    "vb",
  ]);
  return code === 0 ? false : "no pair of virtual network devices can be made";
}

/** A network namespace, or a user and network namespace of an ordinary user's. */
export class Machine implements AsyncDisposable {
  readonly #holder: Deno.ChildProcess;
  readonly #output: Output;
  readonly #as: Who;

  private constructor(holder: Deno.ChildProcess, as: Who) {
    this.#holder = holder;
    this.#output = new Output(holder.stdout);
    this.#as = as;
  }

  static async make(as: Who = "self"): Promise<Machine> {
    const flags = as === "user" ? "-rn" : "-n";
    const [program, ...args] = [
      ...asUser(as),
      "unshare",
      flags,
      "sh",
      "-c",
      "echo up; exec sleep infinity",
    ];
    const holder = new Deno.Command(program!, { args, stdin: "null", stdout: "piped" }).spawn();
    const machine = new Machine(holder, as);
    await eventually("a network namespace", () => machine.#output.text === "up\n");
    await machine.ip("link set lo up");
    return machine;
  }

  get pid(): number {
    return this.#holder.pid;
  }

  /** The words in front of a command that make it run there. */
  get within(): string[] {
    const where = ["nsenter", `--target=${this.pid}`, "--net"];
    return this.#as === "user"
      ? [...asUser("user"), ...where, "--user", "--preserve-credentials"]
      : where;
  }

  async run(...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await run([...this.within, ...command]);
    if (code !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** `ip` with these words. */
  async ip(words: string): Promise<string> {
    return await this.run("ip", ...words.split(" "));
  }

  /** Gives its end of the cable its addresses. */
  async address(number: number): Promise<void> {
    await this.ip(`addr add 10.9.0.${number}/24 dev cable`);
    await this.ip(`-6 addr add fd09::${number}/64 dev cable nodad`);
    await this.ip("link set cable up");
  }

  /** How many TCP packets have come here. */
  async segments(): Promise<number> {
    const [names, values] = (await this.run("cat", "/proc/net/snmp")).split("\n")
      .filter((line) => line.startsWith("Tcp:")).map((line) => line.split(" "));
    return Number(values![names!.indexOf("InSegs")]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.status;
    await this.#output.done;
  }
}

/** Puts a cable between two machines: the first is 10.9.0.1 and fd09::1, the second 10.9.0.2 and fd09::2. */
export async function connect(one: Machine, other: Machine): Promise<void> {
  const ends = [
    "name",
    "cable",
    "netns",
    `${one.pid}`,
    "type",
    "veth",
    "peer",
    "name",
    "cable",
    "netns",
    `${other.pid}`,
  ];
  const { code, stderr } = await run(["ip", "link", "add", ...ends]);
  if (code !== 0) throw new Error(stderr);
  await one.address(1);
  await other.address(2);
}
