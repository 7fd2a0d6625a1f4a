import { defaultDirectory, type JobInfo, jobs } from "../images.ts";
import { readArguments } from "./arguments.ts";
import { bytes, printError, printJson, table, when } from "./common.ts";

/** `ckpt ls` */
export async function lsCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, { flags: ["json"], values: ["dir"], operands: [0, 0] });
  const directory = parsed.value("dir") ?? defaultDirectory();
  const found = await jobs(directory);
  if (parsed.flag("json")) {
    printJson(found.map(toJson));
    return 0;
  }
  if (found.length === 0) {
    console.log(`no jobs in ${directory}`);
    return 0;
  }
  console.log(table([["JOB", "STATE", "IMAGE", "TIME", "SIZE"], ...found.flatMap(rows)]));
  for (const error of found.flatMap((job) => job.damaged)) printError(error);
  return 0;
}

function rows(job: JobInfo): string[][] {
  const state = job.pid === undefined ? "ended" : `running ${job.pid}`;
  if (job.images.length === 0) return [[job.name, state, "-", "", ""]];
  return job.images.map((image) => [
    job.name,
    state,
    String(image.number),
    when(image.time),
    bytes(image.size),
  ]);
}

function toJson(job: JobInfo): unknown {
  return {
    name: job.name,
    path: job.path,
    pid: job.pid ?? null,
    images: job.images.map(({ number, path, id, time, size }) => ({
      number,
      path,
      id,
      time,
      size,
    })),
    damaged: job.damaged.map(({ path, problems }) => ({ path, problems })),
  };
}
