import { assert, assertEquals } from "@std/assert";
import { built, run, TempDir } from "./support.ts";
import { Target } from "./target.ts";

/** The C library that programs here are linked with. */
async function libc(): Promise<string> {
  const { stdout } = await run(["ldd", built("tests/memory_heap")]);
  return stdout.match(/libc\S* => (\/\S+)/)![1]!;
}

/** As a package manager does it: the new file takes the name of the old one. */
async function replace(path: string): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, "something else altogether\n");
  await Deno.rename(`${path}.new`, path);
}

interface Place extends AsyncDisposable {
  target: Target;
  program: string;
  library: string;
}

/** A program and its C library in a directory of their own. */
async function launched(env: Record<string, string> = {}): Promise<Place> {
  const dir = await TempDir.make();
  const program = dir.join("program"), library = dir.join("libc.so.6");
  await Deno.copyFile(built("tests/memory_heap"), program);
  await Deno.copyFile(await libc(), library);
  const target = Target.launch([program], {
    dir: dir.join("ckpt"),
    env: { LD_LIBRARY_PATH: dir.path, ...env },
  });
  await target.waitFor("READY\n");
  await target.waitUntilAsleep();
  return {
    target,
    program,
    library,
    async [Symbol.asyncDispose]() {
      await target[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

Deno.test("restart() does without a program and a library that were replaced or deleted before the checkpoint", async () => {
  for (const harm of [replace, (path: string) => Deno.remove(path)]) {
    await using place = await launched();
    await harm(place.program);
    await harm(place.library);
    let image = await place.target.checkpoint();
    await place.target.kill();
    for (let i = 0; i < 2; i++) {
      await using again = Target.restart(image);
      await again.ping();
      image = await again.checkpoint();
      await again.kill();
    }
    await using last = Target.restart(image);
    await last.send("go\n");
    await last.succeed();
  }
});

Deno.test("restart() refuses a library that was replaced after the checkpoint, and says what helps", async () => {
  await using place = await launched();
  const image = await place.target.checkpoint();
  await place.target.kill();
  await replace(place.library);
  const { code, stderr } = await run([built("restart"), image]);
  assertEquals(code, 1, stderr);
  assert(stderr.includes(place.library) && stderr.includes("--with-files"), stderr);
});

Deno.test("restart() does without a library that was replaced later, when the image carries it", async () => {
  await using place = await launched({ CKPT_WITH_FILES: "*" });
  const image = await place.target.checkpoint();
  await place.target.kill();
  await replace(place.program);
  await replace(place.library);
  await using again = Target.restart(image);
  await again.send("go\n");
  await again.succeed();
});
