import { output } from "../paths.ts";
import { flags, type RestartOptions } from "../restart.ts";
import { SignalPasser } from "./pass.ts";

/** `ckpt restart --clone`: the status of the first copy that does not end with 0, or 0. */
export async function restartCopies(
  path: string,
  { count, options }: { count: string; options: RestartOptions },
): Promise<number> {
  using signals = new SignalPasser();
  const child = new Deno.Command(output("restart"), {
    args: [...flags(options), `--clone=${count}`, path],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  await signals.to({
    kill(signal) {
      if (!ended) child.kill(signal);
      return Promise.resolve();
    },
  });
  const { code } = await status;
  return code;
}
