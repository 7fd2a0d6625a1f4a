import { AUXV_MARK } from "./format.ts";
import {
  identify,
  innerIds,
  isProcess,
  livingThread,
  pidNamespaceOf,
  type ProcessId,
  readAuxiliary,
  readProc,
  readStat,
} from "./proc.ts";
import { sendSignal } from "./watch.ts";

/** What tells where the processes of a job are whose parent has ended. */
export interface Origin {
  /** The id that the job was given in its environment as it was launched. */
  id?: string;
  /** Who was started to restart it, or looks after it in the background. */
  restart?: ProcessId;
}

async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  try {
    for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
      const text = await readProc(`${pid}/task/${name}`, "children") ?? "";
      children.push(...text.split(" ").filter((word) => word !== "").map(Number));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return children;
}

/** Whether a process has this id in its environment; of what may not be looked at: no. */
async function hasId(pid: number, id: string): Promise<boolean> {
  try {
    const environment = await readProc(pid, "environ") ?? "";
    return environment.split("\0").includes(`CKPT_JOB=${id}`);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

/**
 * Of a job that was started elsewhere: the id that its parent has given it. One that was restarted has kept that, and
 * `restart` is its parent, unless that has been killed.
 */
async function originOf(root: number): Promise<Origin> {
  const parent = (await readStat(root))?.parent ?? 0;
  const thread = await livingThread(root);
  try {
    const isRestarted = (await readAuxiliary(thread)).get(0n) === BigInt(AUXV_MARK);
    const isRestart = isRestarted && await readProc(parent, "comm") === "restart\n";
    const given = isRestarted ? "CKPT_JOB=" : `CKPT_JOB=${parent}-`;
    const variables = (await readProc(thread, "environ") ?? "").split("\0");
    return {
      id: variables.find((text) => text.startsWith(given))?.slice("CKPT_JOB=".length),
      restart: isRestart ? await identify(parent) : undefined,
    };
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return {};
    throw error;
  }
}

/**
 * The first process of the pid namespace that `restart` has made for the root: it takes the orphans there. It is a
 * sibling of the root, whose parent is outside.
 */
async function firstBeside(root: number, parent: number): Promise<number[]> {
  const depth = (await innerIds(root)).length;
  if ((await innerIds(parent)).length >= depth) return [];
  const space = await pidNamespaceOf(root), found: number[] = [];
  for (const pid of await childrenOf(parent)) {
    if ((await innerIds(pid))[depth - 1] !== 1) continue;
    if (space !== undefined && await pidNamespaceOf(pid) === space) found.push(pid);
  }
  return found;
}

/** Processes whose parent has ended: they have come to an ancestor of the root, or to its `restart`. */
async function orphansOf(root: ProcessId, { id, restart }: Origin): Promise<number[]> {
  const parent = (await readStat(root.pid))?.parent ?? 0;
  if (restart && await isProcess(restart)) {
    // Between the two may be one that relays a terminal.
    const looksAfter = parent === restart.pid || (await readStat(parent))?.parent === restart.pid;
    return looksAfter ? await childrenOf(parent) : [];
  }
  const orphans = await firstBeside(root.pid, parent);
  for (let pid = parent; id !== undefined && pid > 0; pid = (await readStat(pid))?.parent ?? 0) {
    for (const child of await childrenOf(pid)) if (await hasId(child, id)) orphans.push(child);
  }
  return orphans;
}

/** Stops those that are not in the family yet; how many those were. */
async function stopAll(family: ProcessId[], pids: readonly number[]): Promise<number> {
  const before = family.length;
  for (const pid of pids) {
    const process = family.some((known) => known.pid === pid) ? undefined : await identify(pid);
    if (!process) continue;
    await sendSignal(process, "SIGSTOP");
    family.push(process);
  }
  return family.length - before;
}

/** Stops the children of all these, and orphans, that are not among them yet; how many those were. */
async function stopOthers(family: ProcessId[], origin: Origin): Promise<number> {
  let count = 0;
  for (const { pid } of [...family]) count += await stopAll(family, await childrenOf(pid));
  return count + await stopAll(family, await orphansOf(family[0]!, origin));
}

/** A process and its descendants. */
export async function familyOf(root: number): Promise<number[]> {
  const family = new Set([root]);
  for (const pid of family) for (const child of await childrenOf(pid)) family.add(child);
  return [...family];
}

/**
 * Kills a process, its descendants and those who were such until their parent ended: all are stopped first, so that
 * none has another child meanwhile.
 */
export async function killFamily(root: ProcessId, known?: Origin): Promise<void> {
  if (!await isProcess(root)) return;
  const origin = known ?? await originOf(root.pid);
  const family = [root];
  if ((await childrenOf(root.pid)).length > 0) await sendSignal(root, "SIGSTOP");
  while (await stopOthers(family, origin) > 0);
  for (const process of family) await sendSignal(process, "SIGKILL");
}
