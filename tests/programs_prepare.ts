/**
 * What every row of tests/programs.ts has: what it needs, and its input files.
 *
 * @module
 */
import { join } from "@std/path";
import type { Needs } from "./programs_install.ts";

/** A program with its inputs. */
export interface Prepared {
  name: string;
  /** What must be there to run it. */
  needs: Needs;
  /** Input files: their text. */
  inputs?: Record<string, string>;
  /** A command for sh, run once in ../input. */
  prepare?: string;
  /** Why root does not run it. */
  ordinaryOnly?: string;
}

/** A command for sh that makes "text", with so many lines; it needs gawk. */
export function linesOfText(lines: number): string {
  return `gawk 'BEGIN { x = 5; for (i = 0; i < ${lines}; i++) { x = (x * 16807) % 2147483647;
    printf "%d some words that repeat %x\\n", i, x % 65536 } }' > text`;
}

/** Runs a command to its end, without an input. */
export async function sh(
  command: string,
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-ec", command],
    cwd,
    env: { LC_ALL: "C", ...env },
    stdin: "null",
  }).output();
  if (!success) throw new Error(`"${command}" failed: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}

/** Makes the input files of a program. */
export async function makeInputs(program: Prepared, input: string): Promise<void> {
  await Deno.mkdir(input);
  for (const [name, text] of Object.entries(program.inputs ?? {})) {
    await Deno.writeTextFile(join(input, name), text);
  }
  if (program.prepare) await sh(program.prepare, input);
}
