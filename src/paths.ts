import { resolve } from "@std/path";

/** The files that `make` builds. */
export type Output = "libckpt.so" | "libckpt_helper.so" | "restart" | "count" | "ckpt";

/** The directory of the sources, absolute. */
export function sourceDirectory(): string {
  const here = import.meta.dirname;
  if (here === undefined) {
    throw new Deno.errors.NotSupported(
      "Cannot find the native part: ckpt was imported from a URL (set CKPT_BUILD to the build directory of a checkout)",
    );
  }
  return resolve(here, "..");
}

/** Where the native outputs are: $CKPT_BUILD, or build/ beside the sources. */
export function buildDirectory(): string {
  return resolve(Deno.env.get("CKPT_BUILD") || `${sourceDirectory()}/build`);
}

/** The path of one output. Throws when it has not been built. */
export function output(name: Output): string {
  const path = `${buildDirectory()}/${name}`;
  try {
    // Through symlinks: an installed tree has them, and a preloaded library is known by its file's name.
    return Deno.realPathSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Deno.errors.NotFound(`Cannot find ${path}: run make, or call build()`, { cause });
  }
}
