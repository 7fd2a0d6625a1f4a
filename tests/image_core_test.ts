import { assert, assertMatch } from "@std/assert";
import { built, isInstalled, run, TempDir, testUnless } from "./support.ts";
import { coreOf, Target } from "./target.ts";

testUnless(
  !await isInstalled("gdb") && "gdb is not installed",
  "gdb shows the program's own backtrace in an image",
  async () => {
    for (const restarted of [false, true]) {
      await using dir = await TempDir.make();
      await using first = Target.launch([built("tests/backtrace")], { dir: dir.join("ckpt") });
      await first.waitFor("READY\n");
      await first.waitUntilAsleep();
      let image = await first.checkpoint();
      await first.kill();
      if (restarted) {
        await using again = Target.restart(image);
        await again.ping();
        image = await again.checkpoint();
        await again.kill();
      }
      const { stdout, stderr } = await run([
        "gdb",
        "-nx",
        "-batch",
        "-ex",
        "bt",
        "-ex",
        "info registers rip",
        built("tests/backtrace"),
        coreOf(image),
      ]);
      assertMatch(
        stdout,
        /#0 [^#]*read[^]*#\d+ [^#]*wait_for_go[^]*#\d+ [^#]*innermost_function[^]*#\d+ [^#]*middle_function[^]*#\d+ [^#]*outer_function[^]*#\d+ [^#]*main/,
        stdout + stderr,
      );
      assert(!/ckpt_|libckpt/.test(stdout.slice(stdout.indexOf("#0"))), stdout);
    }
  },
);

testUnless(
  !await isInstalled("readelf") && "readelf is not installed",
  "libckpt.so needs no other library, and an image is a core that readelf understands",
  async () => {
    const dynamic = await run(["readelf", "-dW", built("libckpt.so")]);
    assert(!dynamic.stdout.includes("NEEDED"), dynamic.stdout);
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/backtrace")], { dir: dir.join("ckpt") });
    await target.waitFor("READY\n");
    const core = coreOf(await target.checkpoint());
    await target.kill();
    const { stdout, stderr } = await run(["readelf", "-hlnW", core]);
    assert(!/warning|error/i.test(stderr), stderr);
    assertMatch(stdout, /Type:\s+CORE/);
    for (const note of ["NT_PRSTATUS", "NT_PRPSINFO", "NT_AUXV", "NT_FILE", "NT_X86_XSTATE"]) {
      assert(stdout.includes(note), `${note} is missing`);
    }
  },
);
