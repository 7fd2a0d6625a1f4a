import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { built, root, TempDir, testUnless } from "./support.ts";
import { Target } from "./target.ts";

function numbers(text: string): string[] {
  return text.match(/^[0-9a-f]{16}$/gm) ?? [];
}

Deno.test("examples/reseed.c: restarted copies draw other numbers than the program itself", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/reseed"), "200", "5"], {
    dir: dir.join("ckpt"),
  });
  await target.waitFor("\n");
  const image = await target.checkpoint();
  await target.end();
  const before = new Set(numbers(target.stdout.text));
  assertEquals(before.size, 200);
  const copies: string[][] = [];
  for (let i = 0; i < 2; i++) {
    await using again = Target.restart(image);
    assertEquals((await again.end()).code, 0);
    copies.push(numbers(again.stdout.text));
  }
  assert(copies.flat().every((number) => !before.has(number)));
  assert(copies[0]!.at(-1) !== copies[1]!.at(-1));
});

const python = "/usr/bin/python3";
const noPython = await Deno.stat(python).then(() => false as const, () => `${python} is missing`);

/** An example that says what it has computed and a random number, and whether it goes on or is restarted. */
async function branches(command: string[], words: RegExp): Promise<void> {
  await using dir = await TempDir.make();
  await using target = Target.launch(command, { dir: dir.join("ckpt") });
  assertEquals((await target.end()).code, 0, target.stderr.text);
  const seen = new Set<string>();
  const look = (text: string, state: string) => {
    assertMatch(text, words);
    const [first, , random] = text.split(" ");
    assertEquals(first, state);
    seen.add(random!);
  };
  look(target.stdout.text, "saved");
  for (let i = 0; i < 2; i++) {
    await using again = Target.restart(target.job);
    assertEquals((await again.end()).code, 0, again.stderr.text);
    look(again.stdout.text, "restarted");
  }
  assertEquals(seen.size, 3);
}

const examples = join(root, "native/examples");

testUnless(
  noPython,
  "examples/branch.py: saves itself and goes on from there",
  () => branches([python, join(examples, "branch.py")], /^\w+ 100000 \d+\n$/),
);

Deno.test("examples/branch.ts: saves itself and goes on from there", () =>
  branches(
    [Deno.execPath(), "run", "-A", "--no-config", join(examples, "branch.ts")],
    /^(saved|restarted) 650307328125 \d+ [01]\n$/,
  ));
