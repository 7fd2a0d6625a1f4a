import { assertEquals, assertRejects } from "@std/assert";
import { checkProgram, findProgram } from "../src/program.ts";
import { built, run, TempDir } from "./support.ts";

Deno.test("findProgram() looks along PATH, and takes a name with a slash from the directory", async () => {
  await using dir = await TempDir.make();
  await Deno.mkdir(dir.join("a"));
  await Deno.mkdir(dir.join("b"));
  await Deno.writeTextFile(dir.join("a/tool"), "no program");
  await Deno.writeTextFile(dir.join("b/tool"), "#!/bin/sh\n", { mode: 0o755 });
  const options = { cwd: dir.path, path: `${dir.join("a")}:b` };
  assertEquals(await findProgram("tool", options), dir.join("b/tool"));
  assertEquals(await findProgram("./b/tool", options), dir.join("b/tool"));
  await assertRejects(
    () => findProgram("a/tool", options),
    Deno.errors.PermissionDenied,
    "not executable",
  );
  await assertRejects(
    () => findProgram("nothing", options),
    Deno.errors.NotFound,
    "no such program on PATH",
  );
  await Deno.writeTextFile(dir.join("here"), "#!/bin/sh\n", { mode: 0o755 });
  for (
    const [name, words] of [
      ["here", "no such program on PATH (./here is the one here)"],
      ["", 'Cannot run "": there is no such program on PATH'],
      ["./nothing", "Cannot run ./nothing: there is no such program"],
      ["./a", "Cannot run ./a: it is a directory"],
    ] as const
  ) {
    await assertRejects(() => findProgram(name, options), Error, words);
  }
});

Deno.test("checkProgram() refuses a static program by name, and a script that such a one would run", async () => {
  await using dir = await TempDir.make();
  await Deno.writeTextFile(dir.join("a.c"), "int main(void) { return 0; }\n");
  const program = dir.join("static");
  const made = await run(["gcc", "-static", "-o", program, dir.join("a.c")]);
  assertEquals(made.code, 0, made.stderr);
  await assertRejects(
    () => checkProgram(program),
    Deno.errors.NotSupported,
    `${program} under libckpt: it is statically linked`,
  );
  const script = dir.join("script");
  await Deno.writeTextFile(script, `#! ${program} -x\n`);
  await assertRejects(
    () => checkProgram(script),
    Deno.errors.NotSupported,
    `its interpreter ${program} is statically linked`,
  );
});

Deno.test("checkProgram() takes dynamic programs and scripts, and refuses what is neither", async () => {
  await using dir = await TempDir.make();
  const file = dir.join("file");
  await checkProgram(built("count"));
  await Deno.writeTextFile(file, "#!/bin/sh\n");
  await checkProgram(file);
  await Deno.writeTextFile(file, "#!/usr/bin/env python3\n");
  await checkProgram(file);
  await Deno.writeTextFile(file, "#!/no/such/shell\n");
  await assertRejects(() => checkProgram(file), Deno.errors.NotFound, "/no/such/shell is missing");
  await Deno.writeTextFile(file, "hello\n");
  await assertRejects(() => checkProgram(file), Deno.errors.NotSupported, "neither a program");
  await Deno.writeTextFile(file, `#!${file}\n`);
  await assertRejects(() => checkProgram(file), Deno.errors.NotSupported, "never end");
});
