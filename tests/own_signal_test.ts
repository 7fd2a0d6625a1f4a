import { assertEquals } from "@std/assert";
import { attach } from "../mod.ts";
import { built, TempDir } from "./support.ts";
import { imagesOf, Target } from "./target.ts";

for (const what of ["handle", "block", "ignore", "wait"]) {
  Deno.test(`SIGUSR2 is the program's own when it does "${what}", and it can be saved`, async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/own_signal"), what], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    await using job = await attach(first.pid);
    Deno.kill(first.pid, "SIGUSR2");
    await job.checkpoint();
    await first.send("go\n");
    await first.waitFor("SEEN\n");
    const image = await job.checkpoint();
    assertEquals(imagesOf(first.job).length, 2);
    await first.kill();
    await using again = Target.restart(image.path);
    await again.ping();
    Deno.kill(again.programPid!, "SIGUSR2");
    await again.send("go\n");
    await again.succeed();
  });
}

Deno.test("SIGUSR2 ends a program that has reset it, whose images are good", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/own_signal"), "reset"], {
    dir: dir.join("ckpt"),
  });
  await first.waitFor("READY\n");
  await using job = await attach(first.pid);
  const image = await job.checkpoint();
  Deno.kill(first.pid, "SIGUSR2");
  assertEquals((await first.end()).signal, "SIGUSR2");
  await using again = Target.restart(image.path);
  await again.send("go\ngo\n");
  await again.succeed();
});
