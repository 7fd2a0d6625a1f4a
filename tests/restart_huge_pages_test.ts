import { assert, assertEquals } from "@std/assert";
import { roundtrips } from "./roundtrip.ts";
import { built, run, TempDir, testUnless } from "./support.ts";
import { Target } from "./target.ts";

const setting = "/proc/sys/vm/nr_hugepages";
// It is the whole machine's: another run of the tests waits.
const lock = await Deno.open(setting);
await lock.lock(true);
const before = Number(await Deno.readTextFile(setting));

/** What a few copies of the program need. */
const wanted = before + 60;

async function setPages(count: number): Promise<string | false> {
  try {
    await Deno.writeTextFile(setting, `${count}`);
  } catch {
    return "only root can have huge pages set aside";
  }
  const now = Number(await Deno.readTextFile(setting));
  return now >= count ? false : `the kernel has set aside ${now} of ${count} huge pages`;
}

const group = "/proc/sys/vm/hugetlb_shm_group";
const groupBefore = await Deno.readTextFile(group).catch(() => "0");
const place = await Deno.makeTempDir({ prefix: "ckpt-test-" });

async function prepare(): Promise<string | false> {
  const obstacle = await setPages(wanted);
  if (obstacle) return obstacle;
  const mount = await run([
    "mount",
    "-t",
    "hugetlbfs",
    "-o",
    "mode=1777,pagesize=2M",
    "none",
    place,
  ]);
  await Deno.writeTextFile(group, "1000"); // whose segments may have some without a capability
  return mount.code === 0 ? false : `no hugetlbfs can be mounted: ${mount.stderr}`;
}

const obstacle = await prepare();
globalThis.addEventListener("unload", () => {
  if (!obstacle) {
    new Deno.Command("umount", { args: [place] }).outputSync();
    Deno.writeTextFileSync(group, groupBefore);
    Deno.writeTextFileSync(setting, `${before}`);
  }
  Deno.removeSync(place);
  lock.close();
});

if (obstacle) {
  testUnless(obstacle, "restart() brings back memory of huge pages", () => Promise.resolve());
} else {
  roundtrips([
    {
      does: "brings back memory of huge pages",
      program: "memory_huge",
      args: () => [place],
      pagemap: true,
    },
    {
      does: "rolls back files of huge pages",
      program: "memory_huge",
      args: () => [place, "keep"],
    },
  ]);
}

testUnless(
  obstacle,
  "restart() says how many huge pages a machine without any lacks",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/memory_huge"), place], {
      dir: dir.join("ckpt"),
    });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.kill();
    await Deno.writeTextFile(setting, "0");
    const { code, stderr } = await run([built("restart"), image]);
    await setPages(wanted);
    assertEquals(code, 1, stderr);
    assert(/\d+ huge pages of 2048 KiB/.test(stderr), stderr);
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  },
);
