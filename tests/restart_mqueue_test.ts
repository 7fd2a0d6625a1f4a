import { assertEquals, assertStringIncludes } from "@std/assert";
import { roundtrips } from "./roundtrip.ts";
import { built, run, TempDir } from "./support.ts";
import { asUser, everyone, Target } from "./target.ts";

roundtrips([
  { does: "opens message queues again, and makes those that are gone", program: "fd_mqueue" },
  {
    does: "brings back message queues with their messages",
    program: "fd_mqueue",
    args: () => ["messages"],
  },
  {
    does: "brings back message queues that have been removed",
    program: "fd_mqueue",
    args: () => ["removed"],
  },
  {
    does: "brings back a message queue that a child has open, too",
    program: "fd_mqueue",
    args: () => ["child"],
  },
  ...["signal", "thread", "none"].flatMap((kind) =>
    ["empty", "waits"].map((state) => ({
      does: `lets a message queue notify the program again (${kind}, ${state})`,
      program: "mqueue_notify",
      args: () => [kind, state],
    }))
  ),
]);

for (const as of everyone) {
  Deno.test(`restart() as ${as} rolls back a message queue, and keeps what was in it`, async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/fd_mqueue"), "kept"], {
      dir: dir.join("ckpt"),
      as,
    });
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await first.send("go\nleave\n");
    await first.succeed();

    const strict = await run([...asUser(as), built("restart"), "--files=strict", image]);
    assertEquals(strict.code, 1);
    assertStringIncludes(strict.stderr, "holds other messages now: --files=rewind");
    await using again = Target.restart(image, { as });
    await again.send("go\nremove\n");
    await again.succeed();
    assertStringIncludes(again.stderr.text, "held other messages: it is as it was");
    const kept = [...Deno.readDirSync(first.job)].find(({ name }) =>
      name.startsWith("old-000001-")
    );
    assertEquals(await Deno.readTextFile(`${first.job}/${kept?.name}`), "3 5\nlater\n");
  });
}
