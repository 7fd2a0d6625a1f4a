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
const wanted = before + 24;

async function setPages(count: number): Promise<string | false> {
  try {
    await Deno.writeTextFile(setting, `${count}`);
  } catch {
    return "only root can have huge pages set aside";
  }
  const now = Number(await Deno.readTextFile(setting));
  return now >= count ? false : `the kernel has set aside ${now} of ${count} huge pages`;
}

const obstacle = await setPages(wanted);
globalThis.addEventListener("unload", () => {
  if (!obstacle) Deno.writeTextFileSync(setting, `${before}`);
  lock.close();
});

if (obstacle) {
  testUnless(obstacle, "restart() brings back memory of huge pages", () => Promise.resolve());
} else {
  roundtrips([
    { does: "brings back memory of huge pages", program: "memory_huge", pagemap: true },
  ]);
}

testUnless(
  obstacle,
  "restart() says how many huge pages a machine without any lacks",
  async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/memory_huge")], { dir: dir.join("ckpt") });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    await target.kill();
    await Deno.writeTextFile(setting, "0");
    const { code, stderr } = await run([built("restart"), image]);
    await setPages(wanted);
    assertEquals(code, 1, stderr);
    assert(/\d+ huge pages of 2048 KiB/.test(stderr), stderr);
  },
);
