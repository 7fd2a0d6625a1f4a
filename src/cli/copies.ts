import { clone, type CloneOptions } from "../clone.ts";
import { printDetached } from "./common.ts";
import { SignalPasser } from "./pass.ts";

/** `ckpt restart --clone`: the status of the first copy that does not end with 0, or 0. */
export async function restartCopies(
  path: string,
  { count, options, json }: { count: number; options: CloneOptions; json: boolean },
): Promise<number> {
  using signals = new SignalPasser({ shares: false });
  const copies = await clone(path, count, options);
  if (options.detach) {
    printDetached(copies, { ...options, json });
    return 0;
  }
  await signals.to({
    async kill(signal) {
      for (const copy of copies) await copy.kill(signal);
    },
  });
  const statuses = await Promise.all(copies.map((copy) => copy.status));
  const failed = statuses.find(({ code }) => code !== 0);
  return failed ? failed.code ?? 1 : 0;
}
