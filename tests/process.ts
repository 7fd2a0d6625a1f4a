/**
 * What /proc says about other processes.
 *
 * @module
 */

/** The state letter of a process, undefined when there is none. */
export function stateOf(pid: number): string | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
  } catch {
    return undefined;
  }
}

/** Process ids of all descendants, the nearest first. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${entry.name}/stat`);
      const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
      parents.set(Number(entry.name), Number(parent));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [pid];
  for (const one of found) {
    for (const [child, parent] of parents) if (parent === one) found.push(child);
  }
  return found.slice(1);
}

/** The id by which a process knows itself, which differs from ours inside a pid namespace. */
export function innerPid(pid: number): number | undefined {
  try {
    const ids = /^NSpid:(.*)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
    return ids ? Number(ids[1]!.trim().split(/\s+/).at(-1)) : undefined;
  } catch {
    return undefined;
  }
}

/** Process group and session of a process, and its parent. */
function kinOf(pid: number): { parent: number; group: number; session: number } {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const [, parent, group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  return { parent: parent!, group: group!, session: session! };
}

/** Why the kernel ignores SIGTSTP here: in an orphaned process group nobody could continue who stops. */
export const orphanObstacle: string | false = (() => {
  const own = kinOf(Deno.pid);
  for (let kin = own; kin.parent > 0;) {
    kin = kinOf(kin.parent);
    if (kin.session !== own.session) break;
    if (kin.group !== own.group) return false;
  }
  return "in an orphaned process group the kernel stops nobody";
})();
