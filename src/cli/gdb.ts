import { resolve } from "@std/path";
import { familyOf } from "../family.ts";
import { Image } from "../image.ts";
import { readJob } from "../images.ts";
import { readProc } from "../proc.ts";
import type { ProcessImage } from "../process_image.ts";
import { restart } from "../restart.ts";
import { readArguments, UsageError } from "./arguments.ts";
import { findImage } from "./common.ts";

/** `ckpt gdb` */
export async function gdbCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    flags: ["core", "keep", "any-owner", "quiet"],
    values: ["dir"],
    operands: [1, Infinity],
    wanted: "an image or a job",
  });
  const [what, ...rest] = parsed.operands as [string, ...string[]];
  const path = await findImage(what, parsed.value("dir"));
  // Of a job the newest image that can be read.
  const image = (await readJob(resolve(path)))?.images.at(-1) ?? await Image.open(path);
  const first = image.processes[0]!;
  if (parsed.flag("core")) {
    if (parsed.flag("keep")) throw new UsageError("--core and --keep do not go together");
    return await gdb([first.program, first.path, ...rest]);
  }
  const job = await restart(image, {
    stopped: true,
    detach: true,
    anyOwner: parsed.flag("any-owner"),
    quiet: parsed.flag("quiet"),
  });
  let status: number;
  try {
    const family = (await familyOf(job.pid)).filter((pid) => pid !== job.pid);
    const others = await Promise.all(
      family.map((pid, i) => inferior({ pid, number: i + 2, processes: image.processes })),
    );
    if (others.length > 0) others.push(["inferior 1", "set schedule-multiple on"]);
    const commands = others.flat().flatMap((command) => ["-ex", command]);
    status = await gdb([first.program, String(job.pid), ...commands, ...rest]);
  } finally {
    await job.kill(parsed.flag("keep") ? "SIGCONT" : "SIGKILL");
  }
  return status;
}

/** What makes gdb attach to one more process. */
async function inferior(
  { pid, number, processes }: { pid: number; number: number; processes: readonly ProcessImage[] },
): Promise<string[]> {
  const ids = (await readProc(pid, "status"))?.match(/^NSpid:(.*)$/m)?.[1]?.trim().split(/\s+/) ??
    [];
  const program = processes.find((process) => process.pid === Number(ids.at(-1)))?.program;
  return [
    program ? `add-inferior -exec ${program}` : "add-inferior",
    `inferior ${number}`,
    `attach ${pid}`,
  ];
}

/** Runs gdb in the terminal: Ctrl-C is meant for what it has attached to. */
async function gdb(args: string[]): Promise<number> {
  const ignore = () => {};
  Deno.addSignalListener("SIGINT", ignore);
  try {
    // The program's files are those of this side of its mount namespace, too.
    const child = new Deno.Command("gdb", { args: ["-q", "-iex", "set sysroot /", ...args] })
      .spawn();
    return (await child.status).code;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Deno.errors.NotFound("Cannot start gdb: there is none on PATH", { cause });
  } finally {
    Deno.removeSignalListener("SIGINT", ignore);
  }
}
