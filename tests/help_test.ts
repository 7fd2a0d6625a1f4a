import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { help } from "../src/cli/help.ts";
import { root } from "./support.ts";

const SNAPSHOT = join(root, "tests/snapshots/help.txt");
const COMMANDS = [
  "run",
  "save",
  "restart",
  "gdb",
  "wait",
  "kill",
  "ls",
  "show",
  "verify",
  "doctor",
  "help",
];

Deno.test("help() says what the snapshot says (UPDATE_SNAPSHOTS=1 rewrites it)", async () => {
  const texts = [undefined, ...COMMANDS].map((name) =>
    `$ ckpt help ${name ?? ""}\n${help(name)}\n`
  );
  const now = texts.join("\n");
  if (Deno.env.has("UPDATE_SNAPSHOTS")) await Deno.writeTextFile(SNAPSHOT, now);
  assertEquals(now, await Deno.readTextFile(SNAPSHOT));
});

Deno.test("no line of a help text but a usage line is wider than a hundred columns", () => {
  for (const name of [undefined, ...COMMANDS]) {
    const wide = help(name).split("\n").slice(1).filter((line) => line.length > 100);
    assertEquals(wide, []);
  }
});
