import { delay } from "@std/async/delay";
import { basename } from "@std/path";
import { AUXV_MARK, CONTROL_SIGNAL } from "./format.ts";
import {
  isProcess,
  livingThread,
  type ProcessId,
  readAuxiliary,
  readProc,
  readStat,
  readStatus,
} from "./proc.ts";
import { isDynamic, readFront } from "./program.ts";

async function mapsLibrary(thread: string): Promise<boolean> {
  return /\/libckpt\.so( \(deleted\))?$/m.test(await readProc(thread, "maps") ?? "");
}

/** Whether a program was started without a dynamic loader, and so preloads nothing. */
async function isStatic(thread: string): Promise<boolean> {
  const AT_BASE = 7n;
  if ((await readAuxiliary(thread)).get(AT_BASE) !== 0n) return false;
  const exe = `/proc/${thread}/exe`;
  // The loader itself may have been started, with a program as its argument.
  if (basename(await Deno.readLink(exe).catch(() => "")).startsWith("ld-")) return false;
  const front = await readFront(exe).catch(() => undefined);
  return front !== undefined && !isDynamic(front);
}

/** Why a process cannot be asked, in words. */
export async function whyNot(pid: number): Promise<string> {
  if ((await readStat(pid))?.state === undefined) return "it has ended";
  if (await isStatic(await livingThread(pid))) {
    return "its program is statically linked and cannot load libckpt (link it dynamically)";
  }
  return "it runs without libckpt (start it with ckpt run, or with LD_PRELOAD=libckpt.so)";
}

/** Whether a process has libckpt and its handler: anything else would die of the control signal. */
async function isReady(pid: number): Promise<boolean> {
  const status = await readStatus(pid);
  if (!status || !(status.caught & (1n << BigInt(CONTROL_SIGNAL - 1)))) return false;
  const thread = await livingThread(pid);
  // After a restart the library is memory that came from the image, under no name.
  const AT_NULL = 0n;
  if ((await readAuxiliary(thread)).get(AT_NULL) === BigInt(AUXV_MARK)) return true;
  // Also in a static program, which may bring a loader of its own, as Wine does.
  if (await mapsLibrary(thread)) return true;
  if (await isStatic(thread)) return false;
  // A kernel with a shorter table than the one where the program began has no place for the mark.
  const environment = await readProc(thread, "environ");
  return environment !== undefined && /(^|\0)LD_PRELOAD=[^\0]*\/libckpt\.so/.test(environment);
}

/**
 * Waits until a program that has just been started can be asked, for so many milliseconds: nothing tells of a
 * handler being set, so it has to be looked at again and again, for the few milliseconds that loading takes.
 */
export async function waitUntilReady(process: ProcessId, patience = 30_000): Promise<boolean> {
  const start = performance.now();
  for (;;) {
    if (await isReady(process.pid)) return true;
    if (!await isProcess(process) || performance.now() - start > patience) return false;
    await delay(1);
  }
}
