import { identify, type ProcessId, readProc } from "./proc.ts";
import { sendSignal } from "./watch.ts";

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

/** Stops the children of all these that are not among them yet; how many those were. */
async function stopChildren(family: ProcessId[]): Promise<number> {
  const before = family.length;
  for (const { pid } of [...family]) {
    for (const id of await childrenOf(pid)) {
      const child = family.some((known) => known.pid === id) ? undefined : await identify(id);
      if (!child) continue;
      await sendSignal(child, "SIGSTOP");
      family.push(child);
    }
  }
  return family.length - before;
}

/** A process and its descendants. */
export async function familyOf(root: number): Promise<number[]> {
  const family = new Set([root]);
  for (const pid of family) for (const child of await childrenOf(pid)) family.add(child);
  return [...family];
}

/** Kills a process and its descendants: all are stopped first, so that none has another child meanwhile. */
export async function killFamily(root: ProcessId): Promise<void> {
  const family = [root];
  if ((await childrenOf(root.pid)).length > 0) await sendSignal(root, "SIGSTOP");
  while (await stopChildren(family) > 0);
  for (const process of family) await sendSignal(process, "SIGKILL");
}
