import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { attach, Image, ImageError } from "../mod.ts";
import { CoreEditor } from "./edit_core.ts";
import { isGone, stateOf } from "./process.ts";
import { roundtrips } from "./roundtrip.ts";
import { built, run, TempDir } from "./support.ts";
import { everyone, Target } from "./target.ts";

const MIB = 1 << 20;

roundtrips([
  {
    does: "brings back memory that processes share since a fork, and what each has changed",
    program: "tree_memory",
    pagemap: true,
  },
  {
    does: "lets a server and its workers share their memory again",
    program: "tree_workers",
    args: () => ["6", "24"],
    pagemap: true,
  },
  {
    does: "brings back memory of every kind that processes share on purpose",
    program: "tree_shm",
    endsForGood: true,
    pagemap: true,
  },
]);

for (const as of everyone) {
  Deno.test(`restart() brings back what a server and its workers share when a shell has started them, as ${as}`, async () => {
    await using dir = await TempDir.make();
    const script = `${built("tests/tree_workers")} 3 8; exit $?`;
    await using first = Target.launch(["sh", "-c", script], { dir: dir.join("ckpt"), as });
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await first.kill();
    await using again = Target.restart(image, { as });
    await again.send("go\n");
    await again.succeed();
  });
}

for (const as of everyone) {
  Deno.test(`restart() lets 50 workers share their server's memory again, of which the image has one copy, as ${as}`, async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/tree_workers"), "50", "48"], {
      dir: dir.join("ckpt"),
      as,
    });
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await first.kill();
    const { processes, size } = await Image.open(image);
    assertEquals(processes.length, 51);
    assert(size > 48 * MIB && size < 60 * MIB, `${size} bytes`);
    await using again = Target.restart(image, { as });
    await again.send("go\n"); // each looks at its Pss
    await again.succeed();
  });
}

async function workers(dir: TempDir, as: "self" | "user"): Promise<Image> {
  await using target = Target.launch([built("tests/tree_workers"), "10", "24"], {
    dir: dir.join("ckpt"),
    as,
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  return await Image.open(image);
}

for (const as of everyone) {
  Deno.test(`checkpoint() writes what processes share since a fork once, as ${as}`, async () => {
    await using dir = await TempDir.make();
    const image = await workers(dir, as);
    await image.verify();
    const [server, ...others] = image.processes;
    assertEquals(others.length, 10);
    assert(server!.size > 24 * MIB && image.size < 27 * MIB, `${image.size} bytes`);
    for (const { memory, size } of others) {
      const inherited = memory.reduce((sum, group) => sum + group.inherited, 0);
      assert(inherited > 23 * MIB && size < MIB / 2, `${inherited} of ${size} bytes`);
    }
    const shown = await run([built("ckpt"), "show", "--memory", image.path]);
    assertMatch(shown.stdout, /\nanonymous .* \+ 24(\.\d)? MiB of its parent\n/);
  });
}

Deno.test("checkpoint() writes what processes share on purpose once", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/tree_shm")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  await target.waitUntilAsleep();
  const image = await Image.open(await target.checkpoint());
  await image.verify();
  assert(image.size > 10 * MIB && image.size < 13 * MIB, `${image.size} bytes`);
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() that kills leaves no process of the program behind", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/tree_workers"), "30", "16"], {
    dir: dir.join("ckpt"),
  });
  await target.waitFor("READY\n");
  await using job = await attach(target.pid);
  const { processes } = await job.checkpoint({ kill: true });
  for (const { pid } of processes.slice(1)) {
    assert(isGone(pid), `${pid} is in state ${stateOf(pid)}`);
  }
});

/** An image whose last process inherits something else than it did. */
async function spoiled(
  dir: TempDir,
  change: (image: Image) => [bigint, bigint],
): Promise<Image> {
  const image = await workers(dir, "self");
  const editor = await CoreEditor.open(image.processes.at(-1)!.path);
  editor.inheritLast(...change(image));
  await editor.save();
  return image;
}

Deno.test("restart() and verify() refuse an image that lacks what a process inherits", async () => {
  await using dir = await TempDir.make();
  const image = await spoiled(dir, (image) => {
    const stack = image.processes.at(-1)!.regions.find(({ flags }) => flags.includes("stack"))!;
    return [stack.start, stack.start + 4096n]; // nobody has used it so far
  });
  const { code, stderr } = await run([built("restart"), image.path]);
  assertEquals(code, 1);
  assertMatch(stderr, /its pages at [0-9a-f]+ are in no core/);
  await assertRejects(() => image.verify(), ImageError, "is in no core");
});

Deno.test("restart() refuses inherited pages that make no sense", async () => {
  for (
    const [start, size] of [[0n, 4096n], [1n, 4096n], [4096n, 0n], [0n, 1n << 46n]] as const
  ) {
    await using dir = await TempDir.make();
    const image = await spoiled(dir, (image) => {
      const at = image.processes.at(-1)!.regions.find(({ kind }) => kind === "vvar")!.start + start;
      return [at, at + size];
    });
    const { code, stderr } = await run([built("restart"), image.path]);
    assertEquals(code, 1);
    assertMatch(stderr, /inherited range \d+ makes no sense/);
  }
});

Deno.test("restart() refuses a process whose parent's memory is damaged", async () => {
  await using dir = await TempDir.make();
  const image = await workers(dir, "self");
  const path = image.processes[0]!.path;
  const bytes = await Deno.readFile(path);
  bytes[10 * MIB]! ^= 1;
  await Deno.writeFile(path, bytes);
  const { code, stderr } = await run([built("restart"), join(image.path)]);
  assertEquals(code, 1);
  assertMatch(stderr, /^restart: the image is damaged: memory from [0-9a-f]+ on does not match/);
});
