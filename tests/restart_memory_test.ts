import { assert } from "@std/assert";
import { roundtrips } from "./roundtrip.ts";
import { built, givesNone, TempDir, testUnless } from "./support.ts";
import { coreOf, Target } from "./target.ts";

roundtrips([
  {
    does: "brings back contents and protections of memory",
    program: "memory_contents",
    pagemap: true,
  },
  { does: "brings back guard pages", program: "memory_guards", pagemap: true },
  { does: "brings back a reservation of 16 TiB", program: "memory_reserved" },
  { does: "leaves the stack able to grow", program: "memory_stack", pagemap: true },
  { does: "brings back the heap and its break", program: "memory_heap", pagemap: true },
  {
    does: "brings back mappings of files with changed pages",
    program: "memory_file",
    args: (dir) => [dir.join("mapped")],
    endsForGood: true,
    pagemap: true,
  },
  {
    does: "makes anonymous memory anonymous again",
    program: "memory_anonymous",
    pagemap: true,
  },
  { does: "brings back advice and locks on memory", program: "memory_advice" },
  { does: "brings back how memory is locked, now and later", program: "memory_locked" },
  { does: "brings back shared anonymous memory", program: "memory_shared", pagemap: true },
  {
    does: "brings back shared memory that is mapped in parts and more than once",
    program: "memory_shared_parts",
    pagemap: true,
  },
  { does: "brings back mapped memfds", program: "memory_memfd", pagemap: true },
  {
    does: "brings back mappings of deleted files",
    program: "memory_deleted",
    args: (dir) => [dir.join("mapped")],
  },
  {
    does: "brings back 60,000 mappings, and pages scattered over 16 TiB",
    program: "memory_many",
    args: () => ["60000", "16"],
  },
  { does: "brings back sealed memory", program: "memory_sealed" },
  {
    does: "brings back memory under protection keys",
    program: "memory_keys",
    obstacle: !/^flags.*\bospke\b/m.test(Deno.readTextFileSync("/proc/cpuinfo")) &&
      "this processor has no protection keys (make test-kernel emulates one that has)",
  },
  { does: "brings back 32 MiB without a flipped bit", program: "big_memory", args: () => ["32"] },
]);

Deno.test("restart() brings back a reservation of 16 TiB with 200 MiB scattered in it", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/memory_many"), "1", "200"], {
    dir: dir.join("ckpt"),
  });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  const { size } = await Deno.stat(coreOf(image));
  assert(size > 200 << 20 && size < 220 << 20, `the image has ${size} bytes`);
  await first.kill();
  await using again = Target.restart(image);
  await again.send("go\n");
  await again.succeed();
});

testUnless(
  await givesNone([built("tests/memory_droppable")]),
  "restart() brings back memory that the kernel may drop, and nothing in it: no random number comes twice",
  async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/memory_droppable")], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await first.send("go\n");
    await first.succeed();
    await using again = Target.restart(image);
    await again.send("look\n");
    await again.waitFor("dropped\n");
    await again.succeed();
  },
);

Deno.test("checkpoint() spends no space on reservations and zeros", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/memory_reserved")], {
    dir: dir.join("ckpt"),
  });
  await target.waitFor("READY\n");
  const { size } = await Deno.stat(coreOf(await target.checkpoint()));
  assert(size < 2 << 20, `the image has ${size} bytes`);
  await target.send("go\n");
  await target.succeed();
});
