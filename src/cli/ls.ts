import { defaultDirectory, type JobInfo, jobs } from "../images.ts";
import { familyOf } from "../family.ts";
import { readEnded, readKept } from "../job_directory.ts";
import { livingThread, readStat } from "../proc.ts";
import { readArguments } from "./arguments.ts";
import { bytes, printError, printJson, table, when } from "./common.ts";

/** `ckpt ls` */
export async function lsCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, { flags: ["json"], values: ["dir"], operands: [0, 0] });
  const directory = parsed.value("dir") ?? defaultDirectory();
  const found = await jobs(directory);
  const all = await Promise.all(found.map(look));
  if (parsed.flag("json")) {
    printJson(all.map(toJson));
    return 0;
  }
  if (found.length === 0) {
    console.log(`no jobs in ${directory}`);
    return 0;
  }
  console.log(table([["JOB", "STATE", "IMAGE", "TIME", "SIZE"], ...all.flatMap(rows)]));
  for (const error of found.flatMap((job) => job.damaged)) printError(error);
  return 0;
}

/** A job, and how it is. */
interface Seen extends JobInfo {
  state: "running" | "stopped" | "ended";
  processes: number;
  status?: number;
}

async function look(job: JobInfo): Promise<Seen> {
  const { path, pid } = job;
  const stat = pid === undefined ? undefined : await readStat(await livingThread(pid));
  if (!stat) {
    const kept = await readKept(path);
    return { ...job, state: "ended", processes: 0, status: kept && await readEnded(path, kept) };
  }
  const state = "Tt".includes(stat.state) ? "stopped" : "running";
  return { ...job, state, processes: (await familyOf(pid!)).length };
}

function describe({ state, pid, processes, status }: Seen): string {
  if (state === "ended") return status === undefined ? state : `${state} with ${status}`;
  return `${state} ${pid}${processes > 1 ? ` and ${processes - 1} more` : ""}`;
}

function rows(job: Seen): string[][] {
  const state = describe(job);
  if (job.images.length === 0) return [[job.name, state, "-", "", ""]];
  return job.images.map((image) => [
    job.name,
    state,
    String(image.number),
    when(image.time),
    bytes(image.size),
  ]);
}

function toJson(job: Seen): unknown {
  return {
    name: job.name,
    path: job.path,
    state: job.state,
    pid: job.pid ?? null,
    processes: job.processes,
    status: job.status ?? null,
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
