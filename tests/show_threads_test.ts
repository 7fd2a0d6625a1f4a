import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { Symbols } from "../src/symbols.ts";
import { built, eventually, isInstalled, root, run, TempDir, testUnless } from "./support.ts";
import { Target } from "./target.ts";

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

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

const libc = "/usr/lib/x86_64-linux-gnu/libc.so.6";

async function libcHas(name: string): Promise<boolean> {
  if (!isThere(libc)) return false;
  const { size, mtime } = await Deno.stat(libc);
  return (await Symbols.read(libc, { size, modified: mtime! }))?.addressOf(name) !== undefined;
}

testUnless(
  !await libcHas("__futex_abstimed_wait_common") && "libc's debug symbols are not installed",
  "ckpt show --threads finds functions of a stripped libc in the distribution's debug files",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/threads"), "4"], { dir: dir.join("ckpt") });
    await target.waitFor("READY\n");
    await eventually("worker-2 waits for its condition", async () => {
      const shown = await show(await target.checkpoint());
      return /worker-2 .* __futex_abstimed_wait_common .*\/libc/.test(shown);
    });
  },
);

Deno.test("ckpt show --threads names functions of C++ and of python's interpreter", async () => {
  await using dir = await TempDir.make();
  const source = dir.join("spin.cc");
  await Deno.writeTextFile(
    source,
    `#include <unistd.h>
     namespace far { __attribute__((noinline)) void spin(volatile long *x) { for (;;) ++*x; } }
     int main() { long x = 0; write(1, "READY\\n", 6); far::spin(&x); }`,
  );
  const programs: [string[], RegExp][] = [];
  if (await isInstalled("g++")) {
    assertEquals((await run(["g++", "-O1", "-o", dir.join("spin"), source])).code, 0);
    programs.push([[dir.join("spin")], / _ZN3far4spinEPVl .*\/spin/]);
  }
  if (isThere("/usr/bin/python3")) {
    const script = "print('READY', flush=True)\nwhile True: pass";
    programs.push([["/usr/bin/python3", "-c", script], / _PyEval_\w+ .*\/python3/]);
  }
  for (const [command, words] of programs) {
    await using target = Target.launch(command, {
      dir: dir.join("ckpt"),
      env: { CKPT_NAME: "job" },
    });
    await target.waitFor("READY\n");
    const shown: string[] = [];
    // Between READY and the loop there are other functions.
    await eventually("it is in its loop", async () => {
      shown.push(await show(await target.checkpoint()));
      return words.test(shown.at(-1)!);
    });
    await target.kill();
  }
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
