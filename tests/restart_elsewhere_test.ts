import { assert, assertEquals, assertRejects } from "@std/assert";
import { Image, restart } from "../mod.ts";
import { outputOf } from "./counter.ts";
import { built, run, TempDir } from "./support.ts";
import { Target } from "./target.ts";

interface Place extends AsyncDisposable {
  /** Its directory; the program is a copy in it. */
  path: string;
  image: string;
  dir: TempDir;
}

/** A killed program that had everything in one directory. */
async function saved(): Promise<Place> {
  const dir = await TempDir.make();
  const path = dir.join("here");
  await Deno.mkdir(path);
  await Deno.copyFile(built("tests/places"), `${path}/places`);
  await using target = Target.launch([`${path}/places`, `${path}/data`], {
    dir: dir.join("ckpt"),
    cwd: path,
  });
  await target.waitFor("READY\n");
  await target.waitUntilAsleep();
  const image = await target.checkpoint();
  await target.kill();
  return { path, image, dir, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

/** Brings it back, and gives what it then said. */
async function goOn(image: string, options: string[], cwd?: string): Promise<string> {
  await using again = Target.restart(image, { options, cwd });
  await again.send("go\n");
  const status = await again.end();
  assertEquals([status.code, again.stderr.text], [0, "error\n"]);
  return again.stdout.text;
}

Deno.test("restart() --map finds program, directory and files where they are now", async () => {
  await using place = await saved();
  const there = place.dir.join("there");
  await Deno.rename(place.path, there);
  const { code, stderr } = await run([built("restart"), place.image]);
  assertEquals(code, 1);
  for (const name of ["", "/places", "/data"]) assert(stderr.includes(place.path + name), stderr);

  const said = await goOn(place.image, [`--map=${place.path}/=there`], place.dir.path);
  assertEquals(
    said,
    `/proc/self/exe ${there}/places\n/proc/self/cwd ${there}\n/proc/self/fd/3 ${there}/data\nEXIT-SUCCESS\n`,
  );
  assertEquals(await Deno.readTextFile(`${there}/data`), "before\nafter\nfour\n");
});

Deno.test("restart() --map gives unix sockets their names in another directory", async () => {
  await using dir = await TempDir.make();
  await Deno.mkdir(dir.join("here"));
  await Deno.mkdir(dir.join("there"));
  await using target = Target.launch([built("tests/fd_unix")], {
    dir: dir.join("ckpt"),
    cwd: dir.join("here"),
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  await using again = Target.restart(image, {
    options: [`--map=${dir.join("here")}=${dir.join("there")}`],
  });
  await again.send("go\n");
  await again.succeed();
});

Deno.test("restart() --map takes the longest of several, and only whole names", async () => {
  await using place = await saved();
  const data = place.dir.join("elsewhere");
  await Deno.rename(`${place.path}/data`, data);
  const said = await goOn(place.image, [
    `--map=${place.path}/dat=/nowhere`,
    `--map=${place.path}/data=${data}`,
    `--map=${place.path}=${place.path}`,
  ]);
  assert(said.includes(`/proc/self/fd/3 ${data}\n`), said);
});

Deno.test("restart() --map takes another input for one that is read, not for one that is mapped", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("input");
  await Deno.writeTextFile(path, "0123456789");
  await Deno.writeTextFile(dir.join("other"), "9876543210");
  await Deno.utime(dir.join("other"), 1e9, 1e9);
  await using reader = Target.launch([built("tests/file_reader"), path], { dir: dir.join("ckpt") });
  await reader.waitFor("READY\n");
  const image = await reader.checkpoint();
  await reader.kill();
  await Deno.remove(path);
  const program = built("tests/file_reader");
  const options = [`--map=${path}=${dir.join("other")}`];
  const refused = await run([built("restart"), ...options, `--map=${program}=/bin/sh`, image]);
  assertEquals(refused.code, 1);
  assert(refused.stderr.startsWith("restart: /bin/sh has "), refused.stderr);
  await using again = Target.restart(image, { options });
  await again.send("go\n");
  await again.succeed();
});

Deno.test("restart() --chdir gives the program another working directory", async () => {
  await using place = await saved();
  await Deno.mkdir(place.dir.join("work"));
  const said = await goOn(place.image, ["--chdir=work"], place.dir.path);
  assert(said.includes(`/proc/self/cwd ${place.dir.join("work")}\n`), said);
});

Deno.test("restart() --chdir takes a program out of a directory that has been removed", async () => {
  await using dir = await TempDir.make();
  const script = `mkdir gone && cd gone && rmdir ../gone && echo READY && read word && pwd -P &&
    echo EXIT-SUCCESS`;
  await using first = Target.launch(["sh", "-c", script], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  await using again = Target.restart(image, { options: [`--chdir=${dir.path}`] });
  await again.send("go\n");
  await again.succeed();
  assert(again.stdout.text.startsWith(`${dir.path}\n`), again.stdout.text);
});

Deno.test("restart() --fd gives the program another file, as a shell would", async () => {
  await using place = await saved();
  const other = place.dir.join("other");
  await Deno.writeTextFile(other, "what was there before, and is longer\n");
  // 4 was made of 3 by dup and stays what it was.
  await goOn(place.image, [`--fd=3=${other}`]);
  assertEquals(await Deno.readTextFile(other), "after\n");
  assertEquals(await Deno.readTextFile(`${place.path}/data`), "before\nfour\n");
  // Nothing is asked of a file that nobody has any more, and one file for both is opened once.
  await Deno.remove(`${place.path}/data`);
  const log = place.dir.join("log");
  await using again = Target.restart(place.image, {
    options: ["--fd", `3=${log}`, "--fd", `4=${log}`, "--fd=1=out", "--fd=2=inherit"],
    cwd: place.dir.path,
  });
  await again.send("go\n");
  const { code } = await again.end();
  assertEquals([code, again.stdout.text, again.stderr.text], [0, "", "error\n"]);
  assertEquals(await Deno.readTextFile(log), "after\nfour\n");
  assert((await Deno.readTextFile(place.dir.join("out"))).endsWith("EXIT-SUCCESS\n"));
});

Deno.test("restart() --fd gives the program a descriptor of restart's own", async () => {
  await using place = await saved();
  const script = 'exec 3>theirs; exec "$@" <input >output 2>&1';
  await Deno.writeTextFile(place.dir.join("input"), "go\n");
  const command = [built("restart"), "--fd=3=inherit", place.image];
  const { code } = await run(["sh", "-c", script, "sh", ...command], { cwd: place.dir.path });
  assertEquals([code, await Deno.readTextFile(place.dir.join("theirs"))], [0, "after\n"]);
  assertEquals(await Deno.readTextFile(`${place.path}/data`), "before\nfour\n");
});

Deno.test("restart() says in one line what is wrong with --map, --chdir and --fd", async () => {
  await using place = await saved();
  const cases: [number, string, string][] = [
    [2, "--map=/a", "--map /a: --map takes OLD=NEW"],
    [2, "--map=a=b", "--map a=b: the old path must be absolute"],
    [2, "--chdir=", "--chdir takes a directory"],
    [2, "--fd=1", "--fd 1: --fd takes N=PATH"],
    [2, "--fd=one=log", "--fd one=log: --fd takes N=PATH"],
    [2, "--fd=99999999999=log", "--fd 99999999999=log: there is no such descriptor"],
    [1, `--map=${place.path}/data=/nowhere`, "/nowhere, which the program had open: No such file"],
    [1, `--map=/=/${"x".repeat(4090)}`, "--map makes a path too long"],
    [1, "--chdir=/nowhere", "its working directory /nowhere: No such file"],
    [1, "--chdir=/dev/null", "its working directory /dev/null is no directory"],
    [1, "--fd=7=log", "--fd 7: the program had no such descriptor"],
    [1, "--fd=3=/nowhere/log", "--fd 3=/nowhere/log: No such file"],
    [1, "--fd=3=inherit", "--fd 3=inherit: restart has no descriptor 3"],
  ];
  for (const [status, option, words] of cases) {
    const { code, stdout, stderr } = await run([built("restart"), option, place.image]);
    assertEquals([option, code, stdout], [option, status, ""]);
    assert(stderr.startsWith(`restart: ${words}`), stderr);
    assertEquals(stderr.split("\n").length, 2, stderr);
  }
  const wrongWay = await run([
    "sh",
    "-c",
    'exec 3</dev/null; exec "$@"',
    "sh",
    built("restart"),
    "--fd=3=inherit",
    place.image,
  ]);
  assertEquals(
    wrongWay.stderr,
    "restart: --fd 3=inherit: restart's descriptor is not open for writing\n",
  );
});

Deno.test("the module and ckpt restart take map, cwd and fds, too", async () => {
  await using place = await saved();
  const there = place.dir.join("there");
  await Deno.rename(place.path, there);
  await Deno.writeTextFile(place.dir.join("input"), "go\n");
  await using again = outputOf(
    await restart(place.image, {
      map: { [place.path]: there },
      cwd: place.dir.path,
      fds: { 0: place.dir.join("input"), 3: "/dev/null" },
      stdout: "piped",
      stderr: "null",
    }),
  );
  assertEquals((await again.job.status).code, 0);
  await again.output.done;
  assert(
    again.output.text.startsWith(
      `/proc/self/exe ${there}/places\n/proc/self/cwd ${place.dir.path}\n`,
    ),
  );
  assertEquals(await Deno.readTextFile(`${there}/data`), "before\nfour\n");

  const { code, stdout } = await run([
    built("ckpt"),
    "restart",
    `--map=${place.path}=there`,
    "--chdir",
    there,
    "--fd",
    "0=input",
    "--fd=2=/dev/null",
    place.image,
  ], { cwd: place.dir.path });
  assertEquals(code, 0);
  assert(stdout.includes(`/proc/self/cwd ${there}\n/proc/self/fd/3 ${there}/data\n`), stdout);
  await assertRejects(
    () => restart(place.image, { map: { a: "b" } }),
    TypeError,
    "Not an absolute path",
  );
});

Deno.test("restart() with --fd lets a program have a file where an epoll set was", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/fd_epoll")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  const [process] = (await Image.open(image)).processes;
  const sets = process!.descriptors.filter(({ words }) => words.startsWith("epoll set"));
  await using again = Target.restart(image, {
    options: sets.map(({ fd }) => `--fd=${fd}=/dev/null`),
  });
  await again.ping();
  await again.kill();
});
