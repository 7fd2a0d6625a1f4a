/**
 * Test programs for another libc.
 *
 * @module
 */
import { join } from "@std/path";
import { isInstalled, root, run, type TempDir } from "./support.ts";

/** Why there are none, false when there are. */
export const muslObstacle: string | false = !await isInstalled("musl-gcc") &&
  "musl-gcc is not installed";

/** Builds a test program for musl, of which kernel headers are no part, and gives its path. */
export async function buildForMusl(name: string, dir: TempDir): Promise<string> {
  const program = dir.join(name);
  const headers = ["/usr/include", "/usr/include/x86_64-linux-gnu"];
  const made = await run([
    "musl-gcc",
    "-D_GNU_SOURCE",
    ...headers.flatMap((path) => ["-idirafter", path]),
    "-O1",
    "-o",
    program,
    join(root, `tests/programs/${name}.c`),
  ]);
  if (made.code !== 0) throw new Error(made.stderr);
  return program;
}
