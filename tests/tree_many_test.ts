import { assertEquals } from "@std/assert";
import { built, TempDir } from "./support.ts";
import { coresOf, everyone, Target } from "./target.ts";

for (const as of everyone) {
  Deno.test(`restart() brings back 700 processes, as ${as}`, async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/tree_workers"), "700", "1"], {
      dir: dir.join("ckpt"),
      as,
    });
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await first.kill();
    assertEquals(coresOf(image).length, 701);
    await using again = Target.restart(image, { as });
    await again.send("go\n");
    await again.succeed();
  });
}
