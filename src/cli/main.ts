import { red } from "@std/fmt/colors";
import config from "../../deno.json" with { type: "json" };
import { UsageError } from "./arguments.ts";
import { plain } from "./common.ts";
import { doctorCommand } from "./doctor.ts";
import { gdbCommand } from "./gdb.ts";
import { help, helpCommand, isCommand } from "./help.ts";
import { killCommand } from "./kill.ts";
import { lsCommand } from "./ls.ts";
import { restartCommand } from "./restart.ts";
import { runCommand } from "./run.ts";
import { saveCommand } from "./save.ts";
import { showCommand } from "./show.ts";
import { verifyCommand } from "./verify.ts";
import { waitCommand } from "./wait.ts";

const COMMANDS: Record<string, (args: string[]) => number | Promise<number>> = {
  run: runCommand,
  save: saveCommand,
  restart: restartCommand,
  gdb: gdbCommand,
  wait: waitCommand,
  kill: killCommand,
  ls: lsCommand,
  show: showCommand,
  verify: verifyCommand,
  doctor: doctorCommand,
  help: helpCommand,
};

/**
 * Runs the `ckpt` command and gives its exit status: 0, 1 for a failure, 2 for wrong usage, or the status of
 * the program that it ran.
 *
 * @param args The command's arguments.
 *
 * @example Print the help text
 * ```ts
 * import { main } from "@ckpt/ckpt/cli";
 *
 * console.log(await main(["help"]));
 * ```
 */
export async function main(args: string[]): Promise<number> {
  const [name = "", ...rest] = args;
  if (name === "--version" || name === "-V") {
    console.log(`ckpt ${config.version}`);
    return 0;
  }
  try {
    if (name === "" || name === "--help" || name === "-h") {
      if (name === "") throw new UsageError("Name a command");
      return helpCommand([]);
    }
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) throw new UsageError(`There is no command ${name}`);
    if (wantsHelp(name, rest)) return helpCommand([name]);
    return await command(rest);
  } catch (error) {
    return report(error, name);
  }
}

function wantsHelp(command: string, args: string[]): boolean {
  // What stands behind a program's name, or --, is the program's.
  const end = command === "run" ? 1 : args.indexOf("--");
  return args.slice(0, end < 0 ? undefined : end).some((word) =>
    word === "--help" || word === "-h"
  );
}

function report(error: unknown, command: string): number {
  if (Deno.env.get("CKPT_DEBUG")) console.error(error);
  const words = plain(error instanceof Error ? error.message : String(error));
  console.error(`${Deno.noColor || !Deno.stderr.isTerminal() ? "error:" : red("error:")} ${words}`);
  if (!(error instanceof UsageError)) return 1;
  console.error(isCommand(command) ? help(command).split("\n")[0] : "See: ckpt help");
  return 2;
}
