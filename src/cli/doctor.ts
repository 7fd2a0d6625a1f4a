import { green, red, yellow } from "@std/fmt/colors";
import { type Check, doctor } from "../doctor.ts";
import { readArguments } from "./arguments.ts";
import { printJson, table } from "./common.ts";

/** `ckpt doctor` */
export async function doctorCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, { flags: ["json"], operands: [0, 0] });
  const checks = await doctor();
  if (parsed.flag("json")) {
    printJson(checks);
  } else {
    const lines = table(checks.map(({ name, state, found }) => [state, name, found])).split("\n");
    const color = Deno.noColor || !Deno.stdout.isTerminal() ? String : colorOf;
    checks.forEach((check, i) => {
      console.log(lines[i]!.replace(check.state, (state) => color(state as Check["state"])));
      if (check.cost) console.log(`         ${check.cost}`);
    });
  }
  return checks.some((check) => check.state === "missing") ? 1 : 0;
}

function colorOf(state: Check["state"]): string {
  const color = { ok: green, limited: yellow, missing: red }[state];
  return color(state);
}
