import { assertEquals } from "@std/assert";
import { attach } from "../mod.ts";
import { built, eventually, TempDir } from "./support.ts";
import { everyone, Target } from "./target.ts";

/** The command gets the path of a file that ends its turns. */
async function survives(
  command: (stop: string) => string[],
  { as }: { as?: "self" | "user" } = {},
): Promise<void> {
  await using dir = await TempDir.make();
  const stop = dir.join("stop");
  await using target = Target.launch(command(stop), { dir: dir.join("ckpt"), as });
  await using job = await eventually(
    "it has begun",
    () => attach(target.pid).catch(() => undefined),
  );
  const images = [];
  while (images.length < 5) images.push((await job.checkpoint({ timeout: "60s" })).path);
  assertEquals(target.stdout.text, "");
  await Deno.writeTextFile(stop, "");
  await target.waitFor("READY\n");
  await target.send("go\n");
  await target.succeed();
  assertEquals(target.stderr.text, "");
  await using again = Target.restart(images[2]!, { as });
  await again.waitFor("READY\n");
  await again.send("go\n");
  await again.succeed();
}

for (const who of everyone) {
  Deno.test(`checkpoint() never kills a program that starts itself by exec all the time, as ${who}`, async () => {
    await survives((stop) => [built("tests/self_exec"), stop], { as: who });
  });
}

for (const as of everyone) {
  Deno.test(`checkpoint() never kills a program that another thread than the main one starts by exec all the time, as ${as}`, async () => {
    await survives((stop) => [built("tests/self_exec"), "thread", stop], { as });
  });
}

Deno.test("checkpoint() never kills a shell that starts itself by exec all the time", async () => {
  await using dir = await TempDir.make();
  const script = dir.join("turns");
  await Deno.writeTextFile(
    script,
    `if [ ! -e $1 ]; then exec /bin/sh ${script} $1; fi
     echo READY; read word; echo EXIT-SUCCESS\n`,
  );
  await survives((stop) => ["/bin/sh", script, stop]);
});

for (const as of everyone) {
  Deno.test(`checkpoint() of a program that calls exec in the middle of it asks again, whoever has a copy of the connection, as ${as}`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built("tests/exec_born")], { dir: dir.join("ckpt"), as });
    await target.waitFor("READY\n");
    await using job = await attach(target.pid);
    const { path } = await job.checkpoint();
    await target.send("go\n");
    await target.succeed();
    await using again = Target.restart(path, { as });
    await again.send("go\n");
    await again.succeed();
  });
}

// As an ordinary user it would be started by root here, whose descriptors it may not look at.
Deno.test("restart() brings back sockets that a program has made before it has begun itself anew", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/fd_exec")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  let image = await first.checkpoint();
  await first.kill();
  {
    await using again = Target.restart(image);
    await again.ping();
    image = await again.checkpoint();
    await again.kill();
  }
  await using last = Target.restart(image);
  await last.send("go\n");
  await last.succeed();
});
