import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname } from "@std/path";
import { built, run, TempDir, testUnless } from "./support.ts";
import { coresOf, everyone, Target, type Who } from "./target.ts";

/** Why a file here is no other than shared memory, false when it is. */
const inMemory: string | false = await (async () => {
  await using dir = await TempDir.make();
  const { stdout } = await run(["stat", "--file-system", "--format=%T", dir.path]);
  return stdout === "tmpfs\n" && "temporary files are memory here, which every image carries";
})();

const SMALL = 32 << 10;
const LARGE = (1 << 20) + 1;

/** The image of a program that has a file as memory, in a directory of its own, and was killed. */
async function save(dir: TempDir, options: { size?: number; as?: Who } = {}) {
  const { size = SMALL, as } = options;
  const path = dir.join("own", "data");
  await Deno.mkdir(dirname(path));
  await Deno.chmod(dirname(path), 0o777);
  await using target = Target.launch([built("tests/memory_spare"), path, String(size)], {
    dir: dir.join("ckpt"),
    as,
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  return { image, path };
}

async function goOn(image: string, as?: Who): Promise<string> {
  await using again = Target.restart(image, { as });
  await again.send("go\n");
  await again.succeed();
  return again.stderr.text;
}

for (const as of everyone) {
  testUnless(
    inMemory,
    `restart() makes a file again that a program had as memory and that is gone (${as})`,
    async () => {
      await using dir = await TempDir.make();
      const { image, path } = await save(dir, { as });
      await Deno.remove(path);
      assertEquals(await goOn(image, as), `restart: ${path} was gone: it is as it was again\n`);
      assertEquals((await Deno.stat(path)).mode! & 0o777, 0o640);
    },
  );

  testUnless(
    inMemory,
    `restart() makes the directory of such a file again, too (${as})`,
    async () => {
      await using dir = await TempDir.make();
      const { image, path } = await save(dir, { as });
      await Deno.remove(dirname(path), { recursive: true });
      assertEquals(await goOn(image, as), `restart: ${path} was gone: it is as it was again\n`);
      assertEquals((await Deno.stat(dirname(path))).mode! & 0o777, 0o700);
    },
  );
}

Deno.test("restart() leaves such a file as it is while it is there", async () => {
  await using dir = await TempDir.make();
  const { image, path } = await save(dir);
  const bytes = await Deno.readFile(path);
  bytes[0] = 1; // which the program does not look at
  await Deno.writeFile(path, bytes);
  assertEquals(await goOn(image), "");
  const names = [...Deno.readDirSync(dir.join("ckpt/job"))].map(({ name }) => name).sort();
  assertEquals(names, ["000001.ckpt", "latest"]);
});

Deno.test("restart --files=strict refuses when such a file is gone, and leaves nothing", async () => {
  await using dir = await TempDir.make();
  const { image, path } = await save(dir);
  await Deno.remove(dirname(path), { recursive: true });
  const refuse = async (...options: string[]) => {
    const { code, stderr } = await run([built("restart"), ...options, image]);
    assertEquals(code, 1);
    return stderr;
  };
  assertMatch(
    await refuse("--files=strict"),
    /own\/data, which the program had mapped: No such file/,
  );
  // What fails once the file has been made takes it back.
  const core = coresOf(image)[0]!;
  const bytes = await Deno.readFile(core);
  bytes[4096 + 100]! ^= 1;
  await Deno.writeFile(core, bytes);
  assertMatch(await refuse(), /damaged/);
  assertEquals([...Deno.readDirSync(dir.path)].map(({ name }) => name), ["ckpt"]);
});

testUnless(
  inMemory,
  "a large file that a program has as memory is not carried by itself",
  async () => {
    await using dir = await TempDir.make();
    const { image, path } = await save(dir, { size: LARGE });
    assert(![...Deno.readDirSync(image)].some(({ name }) => name === "files"));
    await goOn(image);
    await Deno.remove(path);
    const { code, stderr } = await run([built("restart"), image]);
    assertEquals(code, 1);
    assertMatch(stderr, /own\/data, which the program had mapped: No such file/);
  },
);

Deno.test("an image carries such a file once, and verify() looks at it", async () => {
  await using dir = await TempDir.make();
  const { image } = await save(dir);
  const [copy, ...others] = [...Deno.readDirSync(`${image}/files`)].map(({ name }) => name);
  assertEquals(others, []);
  const bytes = await Deno.readFile(`${image}/files/${copy}`);
  assertEquals(bytes.length, SMALL);
  bytes[100]! ^= 1;
  await Deno.writeFile(`${image}/files/${copy}`, bytes);
  const { code, stderr } = await run([built("ckpt"), "verify", image]);
  assertEquals(code, 1);
  assertMatch(stderr, /files\/.* is damaged \(the contents of .*own\/data\)/);
});
