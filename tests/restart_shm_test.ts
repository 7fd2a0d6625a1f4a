import { assert, assertEquals } from "@std/assert";
import { basename } from "@std/path";
import { roundtrips } from "./roundtrip.ts";
import { built, run, TempDir } from "./support.ts";
import { Target } from "./target.ts";

roundtrips([
  {
    does: "brings back POSIX shared memory and named semaphores",
    program: "memory_shm",
    args: (dir) => [`/${basename(dir.path)}`],
  },
]);

interface Saved extends AsyncDisposable {
  image: string;
  /** The shared memory's file. */
  path: string;
}

/** The image of a program that was killed. */
async function saved(): Promise<Saved> {
  const dir = await TempDir.make();
  const name = basename(dir.path);
  await using target = Target.launch([built("tests/memory_shm"), `/${name}`], {
    dir: dir.join("ckpt"),
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  return {
    image,
    path: `/dev/shm/${name}`,
    async [Symbol.asyncDispose]() {
      for (const path of [`/dev/shm/${name}`, `/dev/shm/sem.${name}`]) {
        await Deno.remove(path).catch(() => {});
      }
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function goOn(image: string, options: string[] = []): Promise<void> {
  await using again = Target.restart(image, { options });
  await again.send("go\n");
  await again.succeed();
  assertEquals(again.stderr.text, "");
}

Deno.test("restart() puts the contents of shared memory back that has changed since", async () => {
  await using place = await saved();
  await Deno.truncate(place.path, 0);
  await Deno.writeTextFile(place.path, "what the program did later");
  await goOn(place.image);
});

Deno.test("restart() makes shared memory again that is gone", async () => {
  await using place = await saved();
  await Deno.remove(place.path);
  await goOn(place.image);
});

Deno.test("restart() refuses shared memory that another process has changed and uses, and names it", async () => {
  await using place = await saved();
  await Deno.writeTextFile(place.path, "x", { append: true });
  {
    using _other = await Deno.open(place.path);
    const { code, stderr } = await run([built("restart"), place.image]);
    assertEquals(code, 1, stderr);
    assert(stderr.includes(`${place.path}, the program's shared memory,`), stderr);
  }
  await goOn(place.image);
});

Deno.test("restart() shares unchanged memory with those who use it", async () => {
  await using place = await saved();
  using _other = await Deno.open(place.path);
  await goOn(place.image);
});
