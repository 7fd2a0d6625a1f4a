import { assert, assertEquals, assertMatch } from "@std/assert";
import { built, run, TempDir } from "./support.ts";
import { asUser, everyone, Target } from "./target.ts";

const decoder = new TextDecoder();

/** A writer with an image at two lines, that was killed after five. */
async function grown(dir: TempDir): Promise<{ image: string; path: string }> {
  const path = dir.join("data");
  await using writer = Target.launch([built("tests/file_writer"), path], { dir: dir.join("ckpt") });
  await writer.waitFor("READY\n");
  const more = async (number: number) => {
    await writer.send("more\n");
    await writer.waitFor(`line ${number}\n`);
  };
  await more(1);
  await more(2);
  await writer.waitUntilAsleep();
  const image = await writer.checkpoint();
  for (let number = 3; number <= 5; number++) await more(number);
  await writer.kill();
  return { image, path };
}

function lines(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, i) => `line ${first + i}\n`).join("");
}

/** Texts of all files below a directory. */
async function textsBelow(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    const name = `${path}/${entry.name}`;
    if (entry.isDirectory) found.push(...await textsBelow(name));
    else if (entry.isFile) found.push(decoder.decode(await Deno.readFile(name)));
  }
  return found;
}

async function continueWriting(image: string, options: string[] = []): Promise<void> {
  await using again = Target.restart(image, { options });
  await again.send("more\nmore\n");
  await again.waitFor("line 4\n");
  await again.send("go\n");
  await again.succeed();
}

Deno.test("restart() cuts a file back that grew since, and keeps what it cut off", async () => {
  await using dir = await TempDir.make();
  const { image, path } = await grown(dir);
  await continueWriting(image);
  assertEquals(await Deno.readTextFile(path), lines(1, 4));
  const kept = await textsBelow(dir.join("ckpt/job"));
  assert(kept.includes(lines(3, 5)), "the part that was cut off is not beside the image");
});

Deno.test("restart() --files=keep leaves a file alone that grew since", async () => {
  await using dir = await TempDir.make();
  const { image, path } = await grown(dir);
  await continueWriting(image, ["--files=keep"]);
  assertEquals(await Deno.readTextFile(path), lines(1, 5));
});

Deno.test("restart() --files=strict refuses a file that grew since", async () => {
  await using dir = await TempDir.make();
  const { image, path } = await grown(dir);
  const { code, stderr } = await run([built("restart"), "--files=strict", image]);
  assertEquals(code, 1, stderr);
  assert(stderr.includes(path), stderr);
  assertEquals(await Deno.readTextFile(path), lines(1, 5));
});

Deno.test("restart() refuses a file that is shorter than it was or gone, and names it", async () => {
  for (const harm of [Deno.remove, (path: string) => Deno.truncate(path, 3)]) {
    await using dir = await TempDir.make();
    const { image, path } = await grown(dir);
    await harm(path);
    const before = await textsBelow(dir.path);
    const { code, stderr, stdout } = await run([built("restart"), image]);
    assertEquals(code, 1, stderr);
    assert(stderr.includes(path), stderr);
    assertEquals(stdout, "");
    assertEquals(await textsBelow(dir.path), before);
  }
});

Deno.test("restart() refuses a file for reading that changed, and names it", async () => {
  const harms: [string, (path: string) => Promise<void>][] = [
    ["longer", (path) => Deno.writeTextFile(path, "more", { append: true })],
    ["gone", (path) => Deno.remove(path)],
    ["another time", (path) => Deno.utime(path, 1e9, 1e9)],
  ];
  for (const [what, harm] of harms) {
    await using dir = await TempDir.make();
    const path = dir.join("input");
    await Deno.writeTextFile(path, "0123456789");
    await using reader = Target.launch([built("tests/file_reader"), path], {
      dir: dir.join("ckpt"),
    });
    await reader.waitFor("READY\n");
    const image = await reader.checkpoint();
    await reader.kill();
    await harm(path);
    const { code, stderr } = await run([built("restart"), image]);
    assertEquals(code, 1, `${what}: ${stderr}`);
    assert(stderr.includes(path), `${what}: ${stderr}`);
    assertMatch(stderr, /^restart: /);
  }
});

Deno.test("restart() reads on in a file that stayed as it was", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("input");
  await Deno.writeTextFile(path, "0123456789");
  await using reader = Target.launch([built("tests/file_reader"), path], { dir: dir.join("ckpt") });
  await reader.waitFor("READY\n");
  const image = await reader.checkpoint();
  await reader.kill();
  await using again = Target.restart(image);
  await again.send("go\n");
  await again.succeed();
});

for (const as of everyone) {
  Deno.test(`restart() --files=keep lets tail -f go on in a file that has grown, as ${as}`, async () => {
    await using dir = await TempDir.make();
    const path = dir.join("log");
    const append = (first: number, last: number) =>
      Deno.writeTextFile(path, lines(first, last), { append: true });
    await append(1, 2);
    await using follower = Target.launch(["tail", "-n", "+1", "-f", path], {
      dir: dir.join("ckpt"),
      as,
    });
    await follower.waitFor("line 2\n");
    await append(3, 3);
    await follower.waitFor("line 3\n");
    await follower.waitUntilAsleep();
    const image = await follower.checkpoint();
    await follower.kill();
    await append(4, 5);
    const { code, stderr } = await run([...asUser(as), built("restart"), image]);
    assertEquals(code, 1, stderr);
    assertMatch(stderr, /put the old one back, or --files=keep goes on in this one;/);
    await using again = Target.restart(image, { options: ["--files=keep"], as });
    await again.waitUntilAsleep();
    await append(6, 6);
    await again.waitFor("line 6\n");
    assertEquals(follower.stdout.text + again.stdout.text, lines(1, 6));
    await again.kill();
  });
}

Deno.test("restart() --files=keep refuses a file for reading that is shorter, or mapped and longer", async () => {
  for (const harm of ["truncated", "mapped"]) {
    await using dir = await TempDir.make();
    const path = dir.join("input");
    await Deno.writeTextFile(path, "0123456789");
    await using reader = Target.launch([
      built("tests/file_reader"),
      path,
      ...harm === "mapped" ? ["mapped"] : [],
    ], {
      dir: dir.join("ckpt"),
    });
    await reader.waitFor("READY\n");
    const image = await reader.checkpoint();
    await reader.kill();
    if (harm === "mapped") await Deno.writeTextFile(path, "more", { append: true });
    else await Deno.truncate(path, 9);
    const { code, stderr } = await run([built("restart"), "--files=keep", image]);
    assertEquals(code, 1, `${harm}: ${stderr}`);
    assert(stderr.includes(`${path} has `), `${harm}: ${stderr}`);
    assert(!stderr.includes("--files=keep"), `${harm}: ${stderr}`);
  }
});
