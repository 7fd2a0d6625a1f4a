import { resolve } from "@std/path";
import { defaultDirectory } from "../images.ts";
import { Job } from "../job.ts";
import { readKept } from "../job_directory.ts";
import { readArguments } from "./arguments.ts";
import { findJob } from "./common.ts";

/** `ckpt wait` */
export async function waitCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, { values: ["dir"], operands: [1, 1], wanted: "a job" });
  const [name] = parsed.operands as [string];
  const dir = parsed.value("dir") ?? defaultDirectory();
  const directory = resolve(dir, name);
  const kept = await readKept(directory);
  const job = kept
    ? Job.from({ process: kept, directory })
    : await findJob(name, { dir, to: "wait for" });
  return (await job.status).code ?? 0;
}
