import { assertEquals, assertMatch } from "@std/assert";
import { NoteType, QUEUE, SEMAPHORE, SET } from "../src/format.ts";
import { Image } from "../mod.ts";
import { Core } from "../src/core.ts";
import { CoreEditor } from "./edit_core.ts";
import { roundtrips } from "./roundtrip.ts";
import { built, isInstalled, isRoot, run, TempDir, testUnless } from "./support.ts";
import { asUser, coreOf, coresOf, Target, userObstacle } from "./target.ts";

roundtrips([
  {
    does: "puts System V semaphores back as they were, with what is to be undone and who waits",
    program: "sysv_semaphores",
    endsForGood: true,
  },
  {
    does: "puts System V message queues back as they were, with their messages and who waits",
    program: "sysv_queues",
    endsForGood: true,
  },
]);

/** What the program has made: the option of ipcrm, and the ids. */
function madeBy(target: Target): string[] {
  const [, kind, ...ids] = target.stdout.text.match(/(set|queue)s (\d+) (\d+)/)!;
  return ids.flatMap((id) => [kind === "set" ? "-s" : "-q", id]);
}

/** An image of a program that was killed, and what it had made. */
async function imageOf(program: string, dir: TempDir, as: "self" | "user" = "self") {
  await using target = Target.launch([built(`tests/${program}`)], { dir: dir.join("ckpt"), as });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  return { image, made: madeBy(target) };
}

for (const program of ["sysv_semaphores", "sysv_queues"]) {
  testUnless(
    isRoot ? false : "choosing an id needs root",
    `restart() makes what is gone of ${program} again, with keys and ids`,
    async () => {
      await using dir = await TempDir.make();
      const { image, made } = await imageOf(program, dir);
      assertEquals((await run(["ipcrm", ...made])).code, 0);
      await using again = Target.restart(image);
      await again.send("go\n");
      await again.succeed();
    },
  );

  testUnless(
    userObstacle,
    `restart() by an ordinary user says which of ${program} cannot be made again, and makes none`,
    async () => {
      await using dir = await TempDir.make();
      const { image, made } = await imageOf(program, dir, "user");
      assertEquals((await run(["ipcrm", ...made])).code, 0);
      await using again = Target.restart(image, { as: "user" });
      assertEquals((await again.end()).code, 1);
      assertMatch(again.stderr.text, new RegExp(`System V .* ${made[1]} .*cannot be made again`));
      for (const list of ["sem", "msg"]) {
        const lines = await Deno.readTextFile(`/proc/sysvipc/${list}`);
        for (const key of again.stderr.text.matchAll(/key 0x(4[45][0-9a-f]{6})/g)) {
          assertEquals(lines.match(new RegExp(`^ *${parseInt(key[1]!, 16)} `, "m")), null);
        }
      }
    },
  );

  Deno.test(`restart() of ${program} refuses what another process uses, and names it`, async () => {
    await using dir = await TempDir.make();
    await using target = Target.launch([built(`tests/${program}`)], { dir: dir.join("ckpt") });
    await target.waitFor("READY\n");
    const image = await target.checkpoint();
    for (const core of coresOf(image)) await changeContents(core);
    const { code, stderr } = await run([built("restart"), "--pid=namespace", image]);
    assertEquals(code, 1, stderr);
    assertMatch(stderr, /System V .* in use by process \d+: stop that first/);
    await target.send("go\n");
    await target.succeed();
  });
}

testUnless(
  userObstacle || !await isInstalled("unshare") && "unshare is not installed",
  "restart() by an ordinary user makes semaphores and queues again with their ids after a reboot",
  async () => {
    for (const program of ["sysv_semaphores", "sysv_queues"]) {
      await using dir = await TempDir.make();
      const { image, made } = await imageOf(program, dir, "user");
      assertEquals((await run(["ipcrm", ...made])).code, 0);
      // A new IPC namespace has handed out no ids yet, as a machine that has just started.
      const words = ["unshare", "--ipc", ...asUser("user"), built("restart"), image];
      const result = await run(["sh", "-c", `echo go | ${words.join(" ")}`]);
      assertEquals([result.code, result.stdout], [0, "EXIT-SUCCESS\n"], result.stderr);
    }
  },
);

testUnless(
  !await isInstalled("gdb") && "gdb is not installed" || !isRoot && "choosing an id needs root",
  "checkpoint() between a semop and the note about what it has to undo has both",
  async () => {
    await using dir = await TempDir.make();
    const environment = `LD_PRELOAD=${built("libckpt.so")} CKPT_DIR=${
      dir.join("ckpt")
    } CKPT_NAME=job`;
    const commands = [
      `set exec-wrapper env ${environment}`,
      "set breakpoint pending on",
      "handle SIGUSR2 nostop noprint pass",
      "break ckpt_note_undo",
      "run",
      "delete",
      "signal SIGUSR2",
    ];
    const gdb = new Deno.Command("gdb", {
      args: [
        "-nx",
        "-q",
        "-batch",
        ...commands.flatMap((word) => ["-ex", word]),
        built("tests/sysv_undo"),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const input = gdb.stdin.getWriter();
    await input.write(new TextEncoder().encode("go\n"));
    await input.close();
    const { stdout, stderr } = await gdb.output();
    const words = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertMatch(words, /Breakpoint 1, .*ckpt_note_undo[^]*EXIT-SUCCESS/);
    const core = await Core.read(coreOf(dir.join("ckpt/job")));
    assertEquals(core.notes.array(NoteType.SEMAPHORES, SEMAPHORE), [{ value: 0, adjust: 1 }]);
    await using again = Target.restart(dir.join("ckpt/job"));
    await again.send("go\n");
    await again.succeed();
  },
);

Deno.test("ckpt show says what waits in semaphores and queues", async () => {
  for (const program of ["sysv_semaphores", "sysv_queues"]) {
    await using dir = await TempDir.make();
    const { image, made } = await imageOf(program, dir);
    await run(["ipcrm", ...made]);
    const [process] = (await Image.open(image)).processes;
    assertEquals(process!.ipc.map(({ words }) => words.replace(/0x\w+/, "KEY")), [
      ...program === "sysv_semaphores"
        ? [`System V semaphores ${made[1]} (key KEY): 7 0 0`, `System V semaphores ${made[3]}: 0 0`]
        : [
          `System V queue ${made[1]} (key KEY): 4 messages`,
          `System V queue ${made[3]}: 0 messages`,
        ],
    ]);
  }
});

/** So that there is something to put back. */
async function changeContents(core: string): Promise<void> {
  const editor = await CoreEditor.open(core);
  editor.addToFirst(NoteType.SEMAPHORES, SEMAPHORE, "value", 1);
  editor.addToFirst(NoteType.QUEUES, QUEUE, "room", 1);
  await editor.save();
}

const spoilt: Record<string, Parameters<CoreEditor["addToFirst"]>[]> = {
  sysv_semaphores: [
    [NoteType.SEMAPHORES, SEMAPHORE, "value", 40_000],
    [NoteType.SEMAPHORES, SEMAPHORE, "adjust", 40_000],
    [NoteType.SETS, SET, "count", 1_000],
    [NoteType.SETS, SET, "first", 1_000],
    [NoteType.SETS, SET, "mode", 0o1000],
  ],
  sysv_queues: [
    [NoteType.QUEUES, QUEUE, "count", 1],
    [NoteType.QUEUES, QUEUE, "count", -1],
    [NoteType.QUEUES, QUEUE, "data", 1_000_000],
    [NoteType.QUEUES, QUEUE, "data_size", 1_000_000],
  ],
};

for (const [program, changes] of Object.entries(spoilt)) {
  Deno.test(`restart() refuses what makes no sense about ${program}`, async () => {
    await using dir = await TempDir.make();
    const { image, made } = await imageOf(program, dir);
    assertEquals((await run(["ipcrm", ...made])).code, 0);
    const core = coresOf(image)[0]!;
    const before = await Deno.readFile(core);
    for (const change of changes) {
      await Deno.writeFile(core, before);
      const editor = await CoreEditor.open(core);
      editor.addToFirst(...change);
      await editor.save();
      const { code, stderr } = await run([built("restart"), image]);
      assertEquals(code, 1, `${change[2]}: ${stderr}`);
      assertMatch(stderr, /damaged: (set of semaphores|semaphore|message queue) \d+/);
    }
  });
}
