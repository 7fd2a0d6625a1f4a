import type { Duration } from "./duration.ts";
import { Job } from "./job.ts";
import { readKept } from "./job_directory.ts";
import type { KeepOptions } from "./keeper.ts";
import type { Stream } from "./launch.ts";
import { identityOf } from "./proc.ts";

/** Throws a TypeError for what a program that runs on by itself cannot have. */
export function checkDetached(
  options: KeepOptions & { stdin?: Stream; stdout?: Stream; stderr?: Stream },
): void {
  const { every, keep, stdin, stdout, stderr } = options;
  if ([stdin, stdout, stderr].includes("piped")) {
    throw new TypeError("A detached program has no piped streams");
  }
  if (every !== undefined || keep !== undefined) {
    throw new TypeError("Nobody is there to save a detached program by itself");
  }
}

/** The job of a program that runs on by itself; `child` is the `restart` in front, which ends. */
export async function detachedJob(
  of: { child: Deno.ChildProcess; pid: number; directory: string; timeout?: Duration },
): Promise<Job> {
  const { child, pid, directory, timeout } = of;
  await child.status;
  const kept = await readKept(directory);
  return Job.from({
    process: kept?.pid === pid ? kept : await identityOf(pid),
    directory,
    timeout,
  });
}
