import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { CoreEditor } from "./edit_core.ts";
import { roundtrips } from "./roundtrip.ts";
import { built, isRoot, TempDir, testUnless } from "./support.ts";
import { imagesOf, Target } from "./target.ts";

roundtrips([
  {
    does: "brings back working directory, umask, limits, nice value and personality",
    program: "process_settings",
    undumpable: true,
    args: (dir) => [dir.join("work")],
  },
  {
    does: "brings back name, command line and environment",
    program: "process_names",
    args: () => ["first argument", "second"],
  },
  { does: "brings back the process id", program: "process_pid" },
  { does: "gives no new process the id of one that has ended", program: "process_ended_ids" },
  { does: "keeps what membarrier() has been registered for", program: "process_barriers" },
  { does: "keeps the clocks of the vdso", program: "vdso" },
]);

Deno.test("restart() keeps the clocks of another kernel's vdso", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/vdso")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  let image = await first.checkpoint();
  await first.kill();
  for (let level = 0; level < 2; level++) {
    await using again = Target.restart(image, { env: { CKPT_FORCE: "vdso" } });
    await again.ping();
    image = await again.checkpoint();
    await again.kill();
  }
  await using last = Target.restart(image, { env: { CKPT_FORCE: "vdso" } });
  await last.send("go\n");
  await last.succeed();
});

/** Changes a byte of padding at the end of the vdso in a core. */
async function changeVdso(path: string, vdso: number): Promise<void> {
  const core = await CoreEditor.open(path);
  const at = core.lastByteOf(vdso);
  assertEquals(core.bytes[at], 0);
  core.setMemory(at, 1);
  await core.save();
}

Deno.test("restart() lets an image with another vdso use this kernel's", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/vdso")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const vdsoOf = async (pid: number) => {
    const maps = await Deno.readTextFile(`/proc/${pid}/maps`);
    return Number.parseInt(maps.split("\n").find((line) => line.endsWith("[vdso]"))!, 16);
  };
  const vdso = await vdsoOf(first.pid);
  const image = await first.checkpoint();
  await changeVdso(join(image, `${first.pid}.core`), vdso);
  await first.kill();
  await using again = Target.restart(image);
  await again.ping();
  assert(await vdsoOf(again.programPid!) !== vdso); // it is elsewhere, and the old one leads there
  await again.send("go\n");
  await again.succeed();
});

Deno.test("checkpoint() works a hundred times for one process", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/memory_contents")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  for (let number = 1; number <= 100; number++) await target.checkpoint();
  const images = imagesOf(target.job);
  assertEquals(images.length, 100);
  await target.ping(); // by then the link is set, too
  assertEquals(await Deno.readLink(`${target.job}/latest`), "000100.ckpt");
  await target.kill();
  await using again = Target.restart(target.job);
  await again.send("go\n");
  await again.succeed();
});

Deno.test("restart() works to depth five, and image numbers go on", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/memory_contents")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  let image = await first.checkpoint();
  await first.kill();
  for (let depth = 2; depth <= 6; depth++) {
    await using target = Target.restart(image);
    await target.ping();
    image = await target.checkpoint();
    assertEquals(image, `${target.job}/00000${depth}.ckpt`);
    await target.kill();
  }
  await using last = Target.restart(image);
  await last.send("go\n");
  await last.succeed();
});

Deno.test("restart() brings one image back as many times as wanted", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/memory_heap")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  for (let time = 0; time < 3; time++) {
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  }
});

testUnless(
  !isRoot && "only root chooses ids",
  "restart() gives a program a namespace whose ids are above what there may be here",
  async () => {
    await using dir = await TempDir.make();
    // In a pid namespace of its own it may have higher ones, from Linux 6.14 on.
    const script = `echo READY; read word; echo 60000 > /proc/sys/kernel/ns_last_pid
    sh -c 'echo BEGUN; read word; echo EXIT-SUCCESS'; exit $?`;
    await using first = Target.launch(["sh", "-c", script], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    let image = await first.checkpoint();
    await first.kill();
    {
      await using inside = Target.restart(image, { options: ["--pid=namespace"] });
      await inside.send("go\n");
      await inside.waitFor("BEGUN\n");
      image = await inside.checkpoint();
      await inside.kill();
    }
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  },
);
