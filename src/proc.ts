/** What tells a process from every other one, also from a later one with the same id. */
export interface ProcessId {
  /** Its id. */
  pid: number;
  /** When it was started, in clock ticks since boot. */
  startTime: bigint;
  /** The boot in which it runs. */
  bootId: string;
}

/** What /proc/PID/stat says of a process. */
export interface ProcessStat {
  /** One letter, such as R, S, T or Z. */
  state: string;
  /** How many threads it has; a zombie with more than one has only lost its main thread. */
  threads: number;
  /** Who its parent is, 0 for one that cannot be seen. */
  parent: number;
  /** Process group. */
  group: number;
  /** The foreground process group of its terminal, -1 without one. */
  foreground: number;
  /** Clock ticks since boot. */
  startTime: bigint;
}

/** The boot id of this machine. */
export async function bootId(): Promise<string> {
  return (await Deno.readTextFile("/proc/sys/kernel/random/boot_id")).trim();
}

/** What the kernel says of a process, undefined when there is none. */
export async function readStat(pid: number | string): Promise<ProcessStat | undefined> {
  const text = await readProc(pid, "stat");
  if (text === undefined) return undefined;
  // The name in parentheses may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    state: fields[0]!,
    threads: Number(fields[17]),
    parent: Number(fields[1]),
    group: Number(fields[2]),
    foreground: Number(fields[5]),
    startTime: BigInt(fields[19]!) - ticksAhead(),
  };
}

let ahead: bigint | undefined;

/**
 * By how many ticks start times are shown later here than in the initial time namespace, which all that write
 * them down mean.
 */
function ticksAhead(): bigint {
  if (ahead !== undefined) return ahead;
  let text = ""; // a kernel without time namespaces
  try {
    text = Deno.readTextFileSync("/proc/self/timens_offsets");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const [, seconds = 0, nanoseconds = 0] = text.match(/^boottime\s+(-?\d+)\s+(\d+)/m) ?? [];
  return ahead = (BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)) / 10_000_000n;
}

function hasEnded({ state }: ProcessStat): boolean {
  return state === "Z" || state === "X";
}

/**
 * Under which name in /proc a process shows what it has: its id, unless its main thread has ended before the
 * others, which takes memory and files out of sight there.
 */
export async function livingThread(pid: number): Promise<string> {
  const stat = await readStat(pid);
  if (!stat || !hasEnded(stat) || stat.threads <= 1) return `${pid}`;
  try {
    for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
      const thread = await readStat(`${pid}/task/${name}`);
      if (thread && !hasEnded(thread)) return `${pid}/task/${name}`;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return `${pid}`;
}

/** The identity of a live process, undefined when there is none. */
export async function identify(pid: number): Promise<ProcessId | undefined> {
  // While another thread than the main one calls exec, a process may look as if it had ended.
  for (let look = 0; look < 3; look++) {
    const stat = await readStat(pid);
    if (!stat || (hasEnded(stat) && stat.threads <= 1)) continue;
    return { pid, startTime: stat.startTime, bootId: await bootId() };
  }
}

/** The identity of a process; of one that has ended by now nobody's, so that nobody gets a signal meant for it. */
export async function identityOf(pid: number): Promise<ProcessId> {
  const startTime = (await readStat(pid))?.startTime ?? 0n;
  return { pid, startTime, bootId: await bootId() };
}

/** Whether that very process is alive. */
export async function isProcess(process: ProcessId): Promise<boolean> {
  const now = await identify(process.pid);
  return now?.startTime === process.startTime && now.bootId === process.bootId;
}

/** What /proc/PID/status says that matters here. Sets of signals have bit n - 1 for signal n. */
export interface ProcessStatus {
  uid: number;
  leader: boolean;
  caught: bigint;
  blocked: bigint;
  /** For this thread alone. */
  pending: bigint;
  name: string;
}

/** What it says of a process, or of a thread by its path in there, undefined when there is no such process. */
export async function readStatus(pid: number | string): Promise<ProcessStatus | undefined> {
  const text = await readProc(pid, "status");
  if (text === undefined) return undefined;
  const field = (name: string) => text.match(new RegExp(`^${name}:\\s*(.*)$`, "m"))?.[1] ?? "";
  const signals = (name: string) => BigInt(`0x${field(name) || "0"}`);
  return {
    uid: Number(field("Uid").split("\t")[1]),
    leader: Number(field("Tgid")) === pid,
    caught: signals("SigCgt"),
    blocked: signals("SigBlk"),
    pending: signals("SigPnd"),
    name: field("Name"),
  };
}

/** What the kernel told a program when it began, by type; of a process that has ended, nothing. */
export async function readAuxiliary(pid: number | string): Promise<Map<bigint, bigint>> {
  const bytes = await reading(pid, (directory) => Deno.readFile(`${directory}/auxv`)) ??
    new Uint8Array();
  const words = new BigUint64Array(bytes.buffer, 0, Math.floor(bytes.length / 16) * 2);
  const values = new Map<bigint, bigint>();
  for (let i = 0; i < words.length; i += 2) values.set(words[i]!, words[i + 1]!);
  return values;
}

/** A file of /proc/PID, undefined when there is no such process (any more). */
export async function readProc(pid: number | string, file: string): Promise<string | undefined> {
  return await reading(pid, (directory) => Deno.readTextFile(`${directory}/${file}`));
}

/** The ids of a process, from that in our pid namespace to that in its own; none when there is no such process. */
export async function innerIds(pid: number): Promise<number[]> {
  const words = (await readProc(pid, "status"))?.match(/^NSpid:\s*(.*)$/m)?.[1];
  return words === undefined ? [] : words.split(/\s+/).map(Number);
}

/** Which pid namespace a process is in; undefined when there is no such process, or it may not be looked at. */
export async function pidNamespaceOf(pid: number): Promise<string | undefined> {
  try {
    return await reading(pid, (directory) => Deno.readLink(`${directory}/ns/pid`));
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

async function reading<T>(
  pid: number | string,
  read: (directory: string) => Promise<T>,
): Promise<T | undefined> {
  const directory = `/proc/${pid}`;
  try {
    return await read(directory);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    // ESRCH, which has neither class nor code: the process ended between open and read.
    if (error instanceof Error && error.message.includes("(os error 3)")) return undefined;
    // What has given back its memory on its way to the end is root's.
    if (error instanceof Deno.errors.PermissionDenied && await hasNoMemory(directory)) {
      return undefined;
    }
    throw error;
  }
}

/** Whether what a directory of /proc shows has ended, or is about to. */
async function hasNoMemory(directory: string): Promise<boolean> {
  const text = await Deno.readTextFile(`${directory}/statm`).catch(() => "");
  return !(Number(text.split(" ")[0]) > 0);
}
