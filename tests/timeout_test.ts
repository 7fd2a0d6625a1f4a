import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { CheckpointError, launch } from "../mod.ts";
import { built, run, TempDir } from "./support.ts";

Deno.test("checkpoint() waits no longer than it is told for a thread that cannot be stopped", async () => {
  await using dir = await TempDir.make();
  for (const timeout of [{ launched: "2s", asked: undefined }, { launched: "1d", asked: 300 }]) {
    await using job = await launch([built("tests/threads_stubborn")], {
      dir: dir.join("ckpt"),
      timeout: timeout.launched,
      stdin: "piped",
      stdout: "piped",
    });
    const reader = job.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "READY\n");
    reader.releaseLock();
    const start = performance.now();
    const error = await assertRejects(
      () => job.checkpoint({ timeout: timeout.asked }),
      CheckpointError,
    );
    assertMatch(error.message, /thread \d+ \("the-second"\) does not stop/);
    const least = timeout.asked ?? 2000;
    const took = performance.now() - start;
    assert(took >= least && took < 9000, `${took} ms`);
  }
});

Deno.test("CKPT_TIMEOUT that makes no sense is named, and ten seconds are used", async () => {
  for (const value of ["0", "-1", "1.5", "86401", "soon", "99999999999999999999"]) {
    const { stderr } = await run(
      ["env", `LD_PRELOAD=${built("libckpt.so")}`, `CKPT_TIMEOUT=${value}`, built("tests/vdso")],
    );
    assertMatch(stderr, /^ckpt: CKPT_TIMEOUT must be .*: .*; 10 is used\n/);
  }
  await assertRejects(() => launch(["true"], { timeout: "2d" }), RangeError, "a day is the most");
});
