/**
 * A server's log, which has a line for each entry: client and number, and maybe more.
 *
 * @module
 */
import { join } from "@std/path";
import { type Ledger, Wrong } from "./ledger.ts";

/** Each entry that can not be lost is there once, and no entry twice. */
export async function checkLog(cwd: string, ledgers: Ledger[]): Promise<void> {
  const seen = new Set<string>();
  for (const line of (await Deno.readTextFile(join(cwd, "log"))).split("\n")) {
    const key = /^\d+ \d+/.exec(line)?.[0];
    if (line === "") continue;
    if (!key || seen.has(key)) throw new Wrong(`the log says "${line.slice(0, 80)}" twice`);
    seen.add(key);
  }
  for (const { client, kept } of ledgers) {
    for (const [after, upTo] of kept) {
      for (let n = after + 1; n <= upTo; n++) {
        if (!seen.has(`${client} ${n}`)) throw new Wrong(`the log lacks entry ${n} of ${client}`);
      }
    }
  }
}
