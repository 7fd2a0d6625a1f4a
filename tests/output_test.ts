import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { count, reaches } from "./counter.ts";
import { built, isInstalled, root, run, TempDir, testUnless } from "./support.ts";

/** Runs `ckpt`, in a directory with the jobs of the test. */
async function ckpt(dir: TempDir, ...args: string[]) {
  return await run([built("ckpt"), ...args], { cwd: dir.path, env: { NO_COLOR: "1" } });
}

/** A job "sim" that has ended, with two images, and one "bad" whose image is damaged. */
async function makeJobs(dir: TempDir): Promise<void> {
  for (const name of ["sim", "bad"]) {
    await using counter = await count(dir, { name });
    await reaches(counter, 3);
    await counter.job.checkpoint();
    await counter.job.checkpoint({ kill: true });
    await counter.output.done;
  }
  const image = dir.join("ckpt/bad/000002.ckpt");
  const [core] = [...Deno.readDirSync(image)].map(({ name }) => join(image, name));
  const bytes = await Deno.readFile(core!);
  bytes[100]! ^= 1;
  await Deno.writeFile(core!, bytes);
  await Deno.remove(dir.join("ckpt/bad/000001.ckpt"), { recursive: true });
}

/** All names of fields of a value, those of what is in it included. */
function namesIn(value: unknown, deep: boolean): Set<string> {
  const names = new Set<string>();
  for (const one of [value].flat()) {
    if (typeof one !== "object") continue;
    for (const [name, inner] of Object.entries(one as Record<string, unknown>)) {
      names.add(name);
      if (deep && Array.isArray(inner)) {
        for (const each of namesIn(inner, deep)) names.add(each);
      }
    }
  }
  return names;
}

/** What the manual's section JSON says that a command prints. */
async function documented(command: string): Promise<Set<string>> {
  const text = await Deno.readTextFile(join(root, "man/ckpt.1"));
  const section = text.split("\n.Sh JSON\n")[1]!.split("\n.El\n")[0]!;
  const item = section.split("\n.It ").slice(1).find((item) => item.split("\n")[0] === command);
  const lines = item!.split("\n").filter((line) => line.startsWith(".Va "));
  return new Set(
    lines.flatMap((line) => line.slice(4).split(" ").filter((word) => /\w/.test(word))),
  );
}

Deno.test("what commands print as JSON is what the manual says", async () => {
  await using dir = await TempDir.make();
  await makeJobs(dir);
  await using counter = await count(dir, { name: "runs" });
  await reaches(counter, 3);
  const whole: [string, string[], boolean][] = [
    ["Cm save", ["save", "runs"], false],
    ["Cm ls", ["ls"], true],
    ["Cm show Fl -threads", ["show", "--threads", "sim"], false],
    ["Cm show Fl -memory", ["show", "--memory", "sim"], false],
    ["Cm verify", ["verify", "bad"], false],
    ["Cm doctor", ["doctor"], false],
    ["Cm run Fl -detach , Cm restart Fl -detach", ["run", "--detach", "--name=d", "true"], false],
  ];
  // A pipe would be the program's, too.
  const printed = async (args: string[]) => {
    const script = 'exec "$@" >json 2>err';
    await run(["sh", "-c", script, "sh", built("ckpt"), ...args], { cwd: dir.path });
    return JSON.parse(await Deno.readTextFile(dir.join("json")));
  };
  for (const [item, [command, ...args], deep] of whole) {
    const names = namesIn(await printed([command!, "--json", ...args]), deep);
    assertEquals([item, [...names].sort()], [item, [...await documented(item)].sort()]);
  }
  for (const [item, args] of [["Cm show", []], ["Cm show Fl -fds", ["--fds"]]] as const) {
    const names = namesIn(await printed(["show", ...args, "--json", "sim"]), false);
    // Fields that have no value there are left out.
    const missing = [...await documented(item)].filter((name) =>
      !names.has(name) && name !== "sharedBy"
    );
    assertEquals([item, missing], [item, []]);
  }
  const [job] = await printed(["restart", "--json", "--detach", "--fd=1=out", "--name=r", "sim"]);
  assertEquals([job.name, job.state, job.path], ["r", "running", dir.join("ckpt/r")]);
  const copies = await printed(
    ["restart", "--json", "--detach", "--clone=2", "--fd=1=out", "sim"],
  );
  assertEquals(copies.map(({ name }: { name: string }) => name), ["sim-1", "sim-2"]);
  for (const name of ["r", "sim-1", "sim-2"]) {
    assertEquals((await ckpt(dir, "kill", name)).code, 0);
    assertEquals((await ckpt(dir, "wait", name)).code, 128 + 9);
  }
});

Deno.test("exit statuses are those that the manual names", async () => {
  await using dir = await TempDir.make();
  await makeJobs(dir);
  const cases: [number, ...string[]][] = [
    [0, "run", "true"],
    [5, "run", "sh", "-c", "exit 5"],
    [128 + 15, "run", "sh", "-c", "kill -TERM $$"],
    [1, "run", "/no/such/program"],
    [2, "run", "--json", "true"],
    [1, "save", "sim"],
    [2, "save"],
    [0, "ls"],
    [1, "ls", "--dir", "/dev/null"],
    [2, "ls", "more"],
    [0, "show", "sim"],
    [1, "show", "none"],
    [2, "show", "--fds", "--memory", "sim"],
    [0, "verify", "sim"],
    [1, "verify", "bad"],
    [1, "verify", "--json", "bad"],
    [1, "restart", "bad"],
    [1, "restart", "none"],
    [2, "restart", "--every", "soon", "sim"],
    [2, "restart", "--every", "1m", "--detach", "sim"],
    [0, "doctor"],
    [1, "wait", "none"],
    [1, "wait", "sim"],
    [1, "kill", "sim"],
    [2, "kill", "--signal", "NONE", "sim"],
    [1, "gdb", "none"],
    [2, "gdb", "--core", "--keep", "sim"],
    [0, "help", "ls"],
    [2, "help", "none"],
    [2],
  ];
  for (const [code, ...args] of cases) {
    const result = await ckpt(dir, ...args);
    assertEquals([args, result.code], [args, code], result.stderr);
    // A failure is explained on standard error, by whoever failed.
    if (code === 2 || (code === 1 && args[1] !== "--json")) assert(result.stderr !== "", `${args}`);
  }
});

testUnless(
  !await isInstalled("gdb") && "gdb is not installed",
  "ckpt gdb ends with gdb's status",
  async () => {
    await using dir = await TempDir.make();
    await makeJobs(dir);
    for (const core of [[], ["--core"]]) {
      const { code } = await ckpt(dir, "gdb", ...core, "sim", "--", "-batch", "-ex", "quit 7");
      assertEquals(code, 7);
    }
  },
);
