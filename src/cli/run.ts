import { launch } from "../launch.ts";
import { readArguments, readChoice, UsageError } from "./arguments.ts";
import { printDetached, readDetach, readDuration, readKeep, readName } from "./common.ts";
import { SignalPasser } from "./pass.ts";

/** `ckpt run` */
export async function runCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    flags: ["detach", "json"],
    values: ["name", "dir", "every", "keep", "timeout", "tcp"],
    optional: { "with-files": "*" },
    operands: [1, Infinity],
    wanted: "the program to run",
    commandLine: true,
  });
  const { detach, json } = readDetach(parsed);
  const keep = readKeep(parsed);
  if (detach && keep.every) throw new UsageError("--every and --detach do not go together");
  using signals = new SignalPasser();
  const job = await launch(parsed.operands, {
    detach,
    name: readName(parsed),
    dir: parsed.value("dir"),
    timeout: readDuration(parsed, "timeout"),
    withFiles: parsed.value("with-files"),
    tcp: readChoice(parsed, { name: "tcp", choices: ["repair"] }),
    ...keep,
  });
  if (detach) {
    printDetached([job], { json });
    return 0;
  }
  await signals.to(job);
  const status = await job.status;
  return status.code ?? 1;
}
