import { signalNumber } from "../signals.ts";
import { readArguments, UsageError } from "./arguments.ts";
import { findJob } from "./common.ts";

/** `ckpt kill` */
export async function killCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    values: ["dir", "signal"],
    operands: [1, 1],
    wanted: "a job",
  });
  const signal = readSignal(parsed.value("signal") ?? "KILL");
  const job = await findJob(parsed.operands[0]!, { dir: parsed.value("dir"), to: "kill" });
  await job.kill(signal);
  return 0;
}

function readSignal(word: string): Deno.Signal {
  const name = word.toUpperCase().replace(/^(SIG)?/, "SIG") as Deno.Signal;
  try {
    signalNumber(name);
    return name;
  } catch (cause) {
    throw new UsageError(`--signal: There is no signal ${word}`, { cause });
  }
}
