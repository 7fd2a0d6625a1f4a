import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { Symbols } from "../src/symbols.ts";
import { built, root, run, TempDir } from "./support.ts";
import { Target } from "./target.ts";

async function show(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run([
    Deno.execPath(),
    "run",
    "-A",
    "--no-check",
    join(root, "cli.ts"),
    "show",
    "--threads",
    ...args,
  ]);
  assertEquals(code, 0, stderr);
  return stdout;
}

Deno.test("ckpt show --threads says which function each thread is in", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/threads"), "5"], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  await target.waitUntilAsleep();
  const image = await target.checkpoint();
  const shown = await show(image);
  assertMatch(shown, /^PROCESS +THREAD +NAME +INSTRUCTION +FUNCTION +FILE\n/);
  assertMatch(
    shown,
    new RegExp(`^${target.pid} +${target.pid} +threads .* \\S*read\\S* .*/libc`, "m"),
  );
  const threads = JSON.parse(await show(image, "--json"));
  assertEquals(threads.length, 6);
  assertEquals(threads[0].tid, target.pid);
});

Deno.test("Symbols.read() gives nothing for a damaged or changed file, whatever is in it", async () => {
  await using dir = await TempDir.make();
  const original = await Deno.readFile(built("tests/threads"));
  const path = dir.join("program");
  await Deno.writeFile(path, original);
  const { size, mtime } = await Deno.stat(path);
  assertEquals(await Symbols.read(path, { size, modified: new Date(0) }), undefined);
  assertEquals(await Symbols.read(dir.join("gone"), { size, modified: mtime! }), undefined);
  for (let at = 32; at < 64; at++) {
    const bytes = original.slice();
    bytes[at]! ^= 0xff;
    await Deno.writeFile(path, bytes);
    const now = await Deno.stat(path);
    const symbols = await Symbols.read(path, { size, modified: now.mtime! });
    symbols?.functionAt(0x1200n);
  }
});
