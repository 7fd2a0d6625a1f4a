/**
 * The example program as tests use it: counting under libckpt through the module.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type Job, launch, type LaunchOptions } from "../mod.ts";
import { built, eventually, Output, type TempDir } from "./support.ts";

/** A job that counts, with what it prints. */
export interface Counter extends AsyncDisposable {
  job: Job;
  output: Output;
}

/** What a job prints. */
export function outputOf(job: Job): Counter {
  const output = new Output(job.stdout);
  return {
    job,
    output,
    async [Symbol.asyncDispose]() {
      await job[Symbol.asyncDispose]();
      await output.done;
    },
  };
}

/** Counts, one number each 5 ms: for long, to `to`, or until there is a file `until`. */
export async function count(
  dir: TempDir,
  options: LaunchOptions & { to?: number; until?: string } = {},
): Promise<Counter> {
  const { to = 100_000, until, ...rest } = options;
  const command = until ? [built("tests/count_until"), until] : [built("count"), String(to), "5"];
  return outputOf(
    await launch(command, {
      dir: dir.join("ckpt"),
      stdin: "null",
      stdout: "piped",
      ...rest,
    }),
  );
}

/** Waits until a number was printed. */
export async function reaches(counter: Counter, number: number): Promise<void> {
  await eventually(`the number ${number}`, () => counter.output.text.includes(`\n${number}\n`));
}

/** The numbers that were printed. */
export function numbersOf(counter: Counter): number[] {
  return counter.output.text.split("\n").filter((line) => /^\d+$/.test(line)).map(Number);
}

/** Fails when a number is missing or there twice. */
export function assertConsecutive(numbers: number[]): void {
  assertEquals(numbers, numbers.map((_, i) => numbers[0]! + i));
}

/** The names in a directory, in order; none when it is missing. */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map((entry) => entry.name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
