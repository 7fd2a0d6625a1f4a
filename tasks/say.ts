import { bold, green } from "@std/fmt/colors";

/** Says what a task does now, apart from the output of the programs that it runs. */
export function say(what: string, about: string): void {
  const plain = Deno.noColor || !Deno.stderr.isTerminal();
  console.error(`${plain ? what : bold(green(what))} ${about}`);
}
