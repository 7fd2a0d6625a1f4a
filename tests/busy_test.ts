import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { attach, CheckpointError, Image } from "../mod.ts";
import { built, eventually, TempDir } from "./support.ts";
import { imagesOf, Target } from "./target.ts";

/** Checkpoints in the middle of it. Where children come and go, one may be refused for a child that is there. */
for (const kind of ["fork", "spawn", "dlopen", "threads", "timer"]) {
  Deno.test(`a program busy with ${kind} is saved undisturbed and comes back`, async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/busy"), kind], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    await using job = await attach(first.pid);
    const images: string[] = [];
    for (let i = 0; i < 30; i++) {
      try {
        images.push((await job.checkpoint()).path);
      } catch (error) {
        if (!(error instanceof CheckpointError && /child/.test(error.message))) throw error;
      }
    }
    await first.send("go\n");
    await first.succeed();
    if (kind !== "fork" && kind !== "spawn") assertEquals(images.length, 30);
    for (const image of [...images.slice(0, 3), ...images.slice(-3)]) {
      await using again = Target.restart(image);
      await again.send("go\n");
      await again.succeed();
    }
  });
}

/** Bytes that a process has read, undefined once it has ended. */
function bytesRead(pid: number): number | undefined {
  try {
    return Number(/^rchar: (\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`))![1]);
  } catch {
    return undefined;
  }
}

/** Somewhere between the order to end and the last thread's end: its image is whole, or there is none. */
Deno.test("a program that ends while it is saved ends as it would", async () => {
  for (let i = 0; i < 20; i++) {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/threads"), "4"], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    const before = bytesRead(first.pid)!;
    await first.send("go\n");
    // An image with half of the order would wait for the other half.
    while ((bytesRead(first.pid) ?? Infinity) < before + 3);
    await delay(Math.random() * 3);
    try {
      Deno.kill(first.pid, "SIGUSR2");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await first.succeed();
    for (const image of imagesOf(first.job)) {
      await using again = Target.restart(image);
      await again.send("go\n");
      assertEquals((await again.end()).code, 0);
    }
  }
});

/** 1,000 requests as fast as they can be sent: they merge, and the last one is not lost. */
for (const [what, args] of [["a thread", ["1"]], ["many threads", ["30", "elsewhere"]]] as const) {
  Deno.test(`1,000 requests at once for a program with ${what} lose nothing`, async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/threads"), ...args], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    for (let i = 1; i < 1000; i++) Deno.kill(first.pid, "SIGUSR2");
    const last = Date.now();
    Deno.kill(first.pid, "SIGUSR2");
    const image = await eventually("an image begun after the last request", async () => {
      const newest = imagesOf(first.job).at(-1);
      return newest && (await Image.open(newest)).time.getTime() >= last ? newest : undefined;
    });
    assert(imagesOf(first.job).length < 1000);
    await first.send("go\n");
    await first.succeed();
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  });
}
