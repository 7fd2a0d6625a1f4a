import { roundtrips } from "./roundtrip.ts";
import { built, TempDir } from "./support.ts";
import { everyone, Target } from "./target.ts";

roundtrips([{ does: "brings back queues of asynchronous I/O", program: "aio_queues" }]);

for (const as of everyone) {
  Deno.test(`checkpoint() as ${as} loses no request that is under way`, async () => {
    await using dir = await TempDir.make();
    const command = [built("tests/aio_syncs"), dir.join("blocks")];
    await using first = Target.launch(command, { dir: dir.join("ckpt"), as });
    await first.waitFor("READY\n");
    await first.checkpoint();
    const image = await first.checkpoint();
    await first.kill();
    await using again = Target.restart(image, { as });
    await again.waitUntilStarted();
    const next = await again.checkpoint();
    await again.send("go\n");
    await again.succeed();
    await using last = Target.restart(next, { as });
    await last.send("go\n");
    await last.succeed();
  });
}
