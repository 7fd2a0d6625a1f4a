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

/** Whether a process has ended: one whose parent has ended, too, is a zombie until init has time for it. */
export function isGone(pid: number): boolean {
  return [undefined, "Z", "X"].includes(stateOf(pid));
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

/** Kills processes by signal 9. */
export function kill(pids: number[]): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch (error) {
      // It went with another.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The text of a file of /proc, empty when it is not to be had. */
function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function namesIn(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch {
    return [];
  }
}

function mentions(pid: number, path: string): boolean {
  const at = `/proc/${pid}`;
  if (textOf(`${at}/cmdline`).includes(path) || textOf(`${at}/environ`).includes(path)) return true;
  try {
    return Deno.readLinkSync(`${at}/cwd`).startsWith(path);
  } catch {
    return false;
  }
}

/**
 * Living processes that have a path in their command, their environment or as their directory, and all that descend from
 * them: of a directory that one test alone uses, everyone whom it has started, whoever their parent is by now.
 */
export function processesOf(path: string): number[] {
  if (!/^\/[^/]+\/[^/]/.test(path)) throw new RangeError(`${path} may be in anybody's words`);
  const all = namesIn("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  const found = all.filter((pid) => pid !== Deno.pid && mentions(pid, path));
  return [...new Set(found.flatMap((pid) => [pid, ...descendants(pid)]))].filter((pid) =>
    !isGone(pid)
  );
}

/** What a process and its threads are at: whoever looks for the cause of a hang begins with that. */
export function describeProcess(pid: number): string {
  const THREADS = 16;
  const at = `/proc/${pid}`;
  const words = textOf(`${at}/cmdline`).replaceAll("\0", " ").trim().slice(0, 300);
  const [, parent] = /^PPid:\s*(\d+)$/m.exec(textOf(`${at}/status`)) ?? [];
  const threads = namesIn(`${at}/task`).map((tid) => {
    const look = (name: string) => textOf(`${at}/task/${tid}/${name}`).trim() || "?";
    const [, state] = /^State:\s*(.*)$/m.exec(look("status")) ?? [];
    return `  ${tid} ${look("comm")}: ${state}, wchan ${look("wchan")}, syscall ${look("syscall")}`;
  });
  const more = threads.splice(THREADS).length;
  return [
    `process ${pid}, child of ${parent}: ${words}`,
    ...threads,
    ...more > 0 ? [`  and ${more} more threads`] : [],
  ].join("\n");
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
