/**
 * The time that a row of tests/programs.ts may take, which is there for those that hang.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { describeProcess, kill, processesOf } from "./process.ts";

const ROUNDS = 200;

/** Kills whoever is there, and whom the row starts once they are gone; gives what is not over by that. */
async function endAll(work: string, row: Promise<unknown>): Promise<string[]> {
  let hasEnded = false;
  row.catch(() => {}).then(() => hasEnded = true);
  for (let round = 0; round < ROUNDS; round++) {
    const left = processesOf(work);
    if (hasEnded && left.length === 0) return [];
    kill(left);
    await delay(50);
  }
  return [
    ...hasEnded ? [] : ["It goes on waiting without them."],
    ...processesOf(work).map((pid) => `Signal 9 does not end process ${pid}.`),
  ];
}

/**
 * What a row gives that works in a directory of its own. When it fails, nothing of it is left. When the limit comes first it
 * fails, too, with what its processes are at.
 */
export async function withinLimit<T>(
  row: Promise<T>,
  { work, limit }: { work: string; limit: Promise<unknown> },
): Promise<T> {
  const late = limit.then(() => {
    const found = processesOf(work).map(describeProcess);
    throw new Error(["is not done in time:", ...found].join("\n"));
  });
  try {
    return await Promise.race([row, late]);
  } catch (error) {
    const left = await endAll(work, row);
    if (left.length === 0 || !(error instanceof Error)) throw error;
    throw new Error([error.message, ...left].join("\n"), { cause: error });
  }
}
