import $ from "dax";
import { buildDirectory, sourceDirectory } from "./paths.ts";

/** How to build. */
export interface BuildOptions {
  /** Whether nothing is printed. An error still holds what the compiler said. */
  quiet?: boolean;
}

/**
 * Builds the native part with make, where it is not built or older than its sources. Gives the directory
 * that it is in.
 *
 * @throws {Error} when make fails; its `cause` is what make said.
 *
 * @example Build before anything else
 * ```ts
 * import { build } from "@ckpt/ckpt";
 *
 * console.log(await build({ quiet: true }));
 * ```
 */
export async function build(options: BuildOptions = {}): Promise<string> {
  const result = await $`make --no-print-directory`.cwd(sourceDirectory()).noThrow()
    .captureCombined(options.quiet ?? false);
  if (result.code !== 0) {
    throw new Error(`Cannot build ckpt: make ended with status ${result.code}`, {
      cause: options.quiet ? result.combined : undefined,
    });
  }
  return buildDirectory();
}
