/**
 * The `ckpt` command.
 *
 * ```sh
 * deno run -A jsr:@ckpt/ckpt/cli help
 * ```
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

export { main };

if (import.meta.main) Deno.exit(await main(Deno.args));
