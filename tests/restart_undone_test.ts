import { assertEquals, assertStringIncludes } from "@std/assert";
import { CoreEditor } from "./edit_core.ts";
import { built, eventually, isInstalled, isRoot, run, TempDir, testUnless } from "./support.ts";
import { coresOf, Target } from "./target.ts";
import { Terminal, terminalObstacle } from "./terminal.ts";

/** Why there can be no System V objects and message queues of a test's own. */
const obstacle = !isRoot
  ? "a namespace of their own needs root"
  : await isInstalled("unshare")
  ? false
  : "unshare is not installed";

/** In such a namespace: restarts an image, and says what is there afterwards. */
const RESTART_AND_LIST = `mount -t mqueue none /mnt && "$@"; status=$?
tail -qn +2 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg; ls /mnt; exit $status`;

const kinds: [what: string, program: string, ...args: string[]][] = [
  ["System V segments", "memory_sysv"],
  ["System V semaphores", "sysv_semaphores"],
  ["System V queues", "sysv_queues"],
  ["message queues", "fd_mqueue", "messages"],
];

/** Gives the main thread of an image a register that the kernel refuses to set, which is among the last steps. */
async function makeFailInTheEnd(image: string): Promise<void> {
  const core = await CoreEditor.open(coresOf(image)[0]!);
  core.setThread(0, "fs_base", 0xffff_ffff, 4);
  await core.save();
}

for (const [what, program, ...args] of kinds) {
  testUnless(
    obstacle,
    `restart() that fails in the end removes the ${what} that it has made`,
    async () => {
      await using dir = await TempDir.make();
      await using target = Target.launch([built(`tests/${program}`), ...args], {
        dir: dir.join("ckpt"),
        within: ["unshare", "-i"],
      });
      await target.waitFor("READY\n");
      const image = await target.checkpoint();
      await target.kill();
      await makeFailInTheEnd(image);

      const words = ["unshare", "-im", "sh", "-c", RESTART_AND_LIST, "sh", built("restart"), image];
      const { code, stdout, stderr } = await run(words);
      assertStringIncludes(stderr, "cannot set up the thread");
      assertEquals(stdout, "");
      assertEquals(code, 1);
    },
  );
}

Deno.test("restart() that is ended while it makes a file again leaves nothing of it", async () => {
  await using dir = await TempDir.make();
  await Deno.mkdir(dir.join("own"));
  const path = dir.join("own/data");
  await using target = Target.launch([built("tests/file_writer"), path], {
    dir: dir.join("ckpt"),
    env: { CKPT_WITH_FILES: "*" },
  });
  await target.waitFor("READY\n");
  await Deno.writeFile(path, new Uint8Array(64 << 20).fill(1));
  const image = await target.checkpoint();
  await target.kill();
  await Deno.remove(path);
  const there = () => [...Deno.readDirSync(dir.join("own"))].map(({ name }) => name);

  await using again = Target.restart(image);
  await eventually("a part of the file", () => there().length > 0);
  Deno.kill(again.pid, "SIGTERM");
  const { code, signal } = await again.end();
  assertEquals([code, signal], [143, null]);
  assertEquals(there(), []);
});

testUnless(terminalObstacle, "restart --detach that fails leaves no job behind", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/backtrace")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
  await makeFailInTheEnd(image);
  const command = `${built("restart")} --detach --name=other ${image}`;
  await using terminal = new Terminal(command, { cwd: dir.path });
  assertEquals((await terminal.status).code, 1);
  await terminal.output.done;
  assertStringIncludes(terminal.output.text, "cannot set up the thread");
  assertEquals([...Deno.readDirSync(dir.join("ckpt"))].map(({ name }) => name), ["job"]);
});
