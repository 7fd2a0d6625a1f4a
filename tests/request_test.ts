import { delay } from "@std/async/delay";
import { assert, assertEquals } from "@std/assert";
import { receiveReport } from "../src/control.ts";
import { CONTROL_VERSION, REQUEST, RequestOp } from "../src/format.ts";
import { Hold } from "../src/hold.ts";
import { Library } from "../src/library.ts";
import { stateOf } from "./process.ts";
import { built, eventually, TempDir } from "./support.ts";
import { imagesOf, Target } from "./target.ts";

/** How long libckpt waits for an answer (ANSWER_SECONDS in native/preload/report.c). */
const ANSWER_MS = 5000;

function request(stop_signal = 0): Uint8Array<ArrayBuffer> {
  const none = new Uint8Array();
  return REQUEST.encode({
    size: REQUEST.size,
    version: CONTROL_VERSION,
    op: RequestOp.CHECKPOINT,
    flags: 0,
    timeout_ms: 0,
    stop_signal,
    files: none,
    ignore: none,
  });
}

Deno.test("checkpoint() of a program that is stopped and continued while it asks what is wanted", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/vdso")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const { pid } = target;
  using library = new Library();
  const pidfd = library.openProcess(pid);
  const { listener, cookie } = library.listen();
  await library.request(pidfd, { pid, cookie });
  const connection = await library.accept(listener, {
    pidfd,
    pid,
    uid: Deno.uid()!,
    timeout: ANSWER_MS,
  });
  await eventually("it waits for the request", () => stateOf(pid) === "S");
  Deno.kill(pid, "SIGSTOP");
  await eventually("it is stopped", () => stateOf(pid) === "T");
  Deno.kill(pid, "SIGCONT");
  await eventually("it waits again", () => stateOf(pid) === "S");
  library.send(connection, request());
  assertEquals((await receiveReport(library, { connection }))?.kind, "done");
  for (const fd of [pidfd, listener, connection]) library.close(fd);
  assertEquals(imagesOf(target.job).length, 1);
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() of a stopped program leaves it so, however late whoever has asked hears of it", async () => {
  await using dir = await TempDir.make();
  const command = [built("tests/stopped"), "19"];
  await using target = Target.launch(command, { dir: dir.join("ckpt"), cwd: dir.path });
  await target.waitFor("READY\n");
  const pid = Number(target.stdout.text.match(/^PROCESS (\d+)$/m)![1]);
  await eventually("it is stopped", () => stateOf(pid) === "T");
  const turnsMade = async () => String(await Deno.readFile(dir.join("turns")));
  const turns = await turnsMade();
  using library = new Library();
  const pidfd = library.openProcess(pid);
  const { listener, cookie } = library.listen();
  const hold = new Hold(library, { pid, listener, cookie });
  const from = { pidfd, pid, uid: Deno.uid()!, timeout: 2 * ANSWER_MS };
  let connection = -1;
  try {
    connection = await library.accept(listener, from);
    library.send(connection, request(hold.connected(connection)));
    assertEquals((await receiveReport(library, { connection }))?.kind, "done");
    // As `ckpt save` does that is itself stopped: longer than any other program would wait for it.
    await delay(ANSWER_MS + 1000);
    assert(await turnsMade() === turns, "it has run");
  } finally {
    await hold.end();
  }
  for (const fd of [pidfd, listener, connection]) library.close(fd);
  // Let go, it has to run in the kernel to stop there again.
  await eventually("it is stopped again", () => stateOf(pid) === "T");
  assert(await turnsMade() === turns, "it has run");
  await target.send("go\n");
  await target.succeed();
});
