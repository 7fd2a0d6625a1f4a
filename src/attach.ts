import { basename, resolve } from "@std/path";
import { CheckpointError } from "./errors.ts";
import { Job } from "./job.ts";
import { identify, livingThread, readProc, readStatus } from "./proc.ts";
import { waitUntilReady, whyNot } from "./ready.ts";

/** Milliseconds that a program gets to load its libraries, if it is just starting another one by exec. */
const EXEC = 200;

/**
 * Takes a program that runs under libckpt already, such as one started with `LD_PRELOAD=libckpt.so`.
 *
 * @throws {CheckpointError} when there is no such process, or it could not be asked for a checkpoint.
 *
 * @example Save a process by its id
 * ```ts
 * import { attach, launch } from "@ckpt/ckpt";
 *
 * const dir = await Deno.makeTempDir();
 * await using job = await launch(["sleep", "9"], { dir });
 * await job.checkpoint();
 *
 * await using same = await attach(job.pid);
 * console.log((await same.checkpoint()).number); // 2
 * ```
 */
export async function attach(pid: number): Promise<Job> {
  if (!Number.isInteger(pid) || pid < 1) throw new TypeError(`Not a process id: ${pid}`);
  const refuse = (why: string, cause?: unknown) =>
    new CheckpointError(`Cannot checkpoint process ${pid}: ${why}`, { pid, cause });

  const status = await readStatus(pid);
  if (!status) throw refuse("there is no such process");
  if (!status.leader) throw refuse("it is a thread, name its process");
  const user = Deno.uid();
  if (user !== 0 && status.uid !== user) {
    throw refuse(`it belongs to user ${status.uid} (ask as that user or as root)`);
  }
  const process = await identify(pid);
  if (!process) throw refuse("it has ended");
  let ready: boolean;
  try {
    ready = await waitUntilReady(process, EXEC);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.PermissionDenied)) throw cause;
    throw refuse("the kernel does not let you look into it (ask as root)", cause);
  }
  if (!ready) throw refuse(await whyNot(pid));
  return Job.from({ process, directory: await guessDirectory(pid) });
}

/** What libckpt takes from the environment when it loads, as far as /proc still shows it. */
async function guessDirectory(pid: number): Promise<string> {
  const thread = await livingThread(pid);
  const environment = new Map(
    (await readProc(thread, "environ") ?? "").split("\0").map((variable) => {
      const equals = variable.indexOf("=");
      return [variable.slice(0, equals), variable.slice(equals + 1)];
    }),
  );
  const link = (name: string) => Deno.readLink(`/proc/${thread}/${name}`).catch(() => "");
  const directory = resolve(await link("cwd"), environment.get("CKPT_DIR") || "ckpt");
  const name = environment.get("CKPT_NAME") || `${basename(await link("exe"))}-${pid}`;
  return resolve(directory, name);
}
