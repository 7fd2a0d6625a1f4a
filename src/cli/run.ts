import { launch } from "../launch.ts";
import { readArguments } from "./arguments.ts";
import { readDuration, readKeep, readName } from "./common.ts";
import { SignalPasser } from "./pass.ts";

/** `ckpt run` */
export async function runCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    values: ["name", "dir", "every", "keep", "timeout"],
    optional: { "with-files": "*" },
    operands: [1, Infinity],
    wanted: "the program to run",
    commandLine: true,
  });
  using signals = new SignalPasser();
  const job = await launch(parsed.operands, {
    name: readName(parsed),
    dir: parsed.value("dir"),
    timeout: readDuration(parsed, "timeout"),
    withFiles: parsed.value("with-files"),
    ...readKeep(parsed),
  });
  await signals.to(job);
  const status = await job.status;
  return status.code ?? 1;
}
