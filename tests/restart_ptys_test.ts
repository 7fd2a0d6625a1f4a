import { assertEquals, assertStringIncludes } from "@std/assert";
import { NoteType, WaitingKind } from "../src/format.ts";
import { CoreEditor } from "./edit_core.ts";
import { roundtrips } from "./roundtrip.ts";
import { built, run, TempDir } from "./support.ts";
import { coreOf, Target } from "./target.ts";

roundtrips([
  {
    does: "brings back pseudoterminals within the process, and what waits in them",
    program: "fd_pty",
  },
  {
    does: "brings back a terminal that another process of the job holds, its session and jobs",
    program: "tree_pty",
    pings: false,
  },
]);

async function imageOfPtys(dir: TempDir): Promise<string> {
  await using target = Target.launch([built("tests/fd_pty")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  return image;
}

Deno.test("restart() refuses what waits in a pseudoterminal in a form that makes no sense", async () => {
  await using dir = await TempDir.make();
  const image = await imageOfPtys(dir);
  for (const [offset, value] of [[0, WaitingKind.REST + 1], [4, 0x7fffffff]] as const) {
    const edit = await CoreEditor.open(coreOf(image));
    const view = new DataView(edit.bytes.buffer, edit.note(NoteType.BLOB));
    const before = view.getUint32(offset, true);
    view.setUint32(offset, value, true);
    await edit.save();
    const { code, stderr } = await run([built("restart"), image]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "damaged: open file");
    view.setUint32(offset, before, true);
    await edit.save();
  }
});

Deno.test("ckpt show --fds says what waits in a pseudoterminal", async () => {
  await using dir = await TempDir.make();
  const image = await imageOfPtys(dir);
  const { stdout } = await run([built("ckpt"), "show", "--fds", image]);
  const words = stdout.replace(/pts\/\d+/g, "pts/N");
  assertStringIncludes(
    words,
    "master of /dev/pts/N, 101x33, 31 bytes to be read, 22 bytes typed\n",
  );
  assertStringIncludes(words, "terminal /dev/pts/N of the program's own\n");
  assertStringIncludes(words, "hung up\n");
});
