import { assertEquals, assertStringIncludes } from "@std/assert";
import { restart } from "../mod.ts";
import { built, eventually, run, TempDir, testUnless } from "./support.ts";
import { saveAndKill, Terminal, terminalObstacle, underCkpt } from "./terminal.ts";
import { asUser, everyone, Target, type Who } from "./target.ts";

/** The job of a test program that was saved in a terminal, and killed. */
async function savedInTerminal(dir: TempDir, program: string, as: Who): Promise<string> {
  await using terminal = new Terminal(underCkpt(built(`tests/${program}`)), {
    cwd: dir.path,
    as,
    size: [31, 97],
  });
  await terminal.shows("READY");
  await saveAndKill(terminal, program);
  await terminal.end();
  return dir.join("ckpt/job");
}

/** Where no terminal is: in a session of its own, with pipes. */
function withoutTerminal(job: string, as: Who, ...options: string[]) {
  return new Deno.Command("setsid", {
    args: ["--wait", ...asUser(as), built("restart"), ...options, job],
    stdin: "null",
  });
}

for (const as of everyone) {
  testUnless(
    terminalObstacle,
    `restart --pty makes a terminal for a program that had one, and types its input, as ${as}`,
    async () => {
      await using dir = await TempDir.make();
      const job = await savedInTerminal(dir, "terminal_modes", as);
      await using again = Target.restart(job, { as, options: ["--pty"] });
      await again.waitFor("[31 x 97]");
      await again.send("m");
      await again.waitFor("own modes");
      await again.send("q");
      const { code } = await again.end();
      assertEquals(code, 0, again.stderr.text);
      assertStringIncludes(again.stdout.text, "EXIT-SUCCESS");
    },
  );

  testUnless(
    terminalObstacle,
    `restart --pty passes the size of its own terminal on, and gives it back as it was, as ${as}`,
    async () => {
      await using dir = await TempDir.make();
      const job = await savedInTerminal(dir, "terminal_modes", as);
      await using again = new Terminal(
        `${built("restart")} --pty ${job}; echo "ended with $?"; stty -a`,
        { cwd: dir.path, as, size: [30, 100] },
      );
      await again.shows("[30 x 100]");
      const outer = await again.process("restart");
      await run(["stty", "-F", `/proc/${outer}/fd/0`, "rows", "40", "cols", "120"]);
      await again.shows("[40 x 120]");
      await again.type("mq");
      await again.shows("own modes");
      const text = await again.end();
      assertStringIncludes(text, "ended with 0");
      assertStringIncludes(text, " icanon");
    },
  );

  testUnless(
    terminalObstacle,
    `restart() names both choices where the program had a terminal and there is none, as ${as}`,
    async () => {
      await using dir = await TempDir.make();
      const job = await savedInTerminal(dir, "fd_terminal", as);
      const { code, stderr } = await withoutTerminal(job, as).output();
      const words = new TextDecoder().decode(stderr);
      assertEquals(code, 1, words);
      assertStringIncludes(words, "--pty");
      assertStringIncludes(words, "--no-tty");
    },
  );

  testUnless(
    terminalObstacle,
    `restart --no-tty lets a program find that its terminal has hung up, as ${as}`,
    async () => {
      await using dir = await TempDir.make();
      const job = await savedInTerminal(dir, "shown_hangup", as);
      const { code, stdout, stderr } = await withoutTerminal(job, as, "--no-tty").output();
      const words = new TextDecoder();
      assertEquals(code, 0, words.decode(stderr));
      assertEquals(words.decode(stdout), "EXIT-SUCCESS\n");
      // In a terminal that is left alone, too.
      await using again = new Terminal(
        `${built("restart")} --no-tty ${job}; echo "ended with $?"`,
        {
          cwd: dir.path,
          as,
        },
      );
      assertEquals(await again.end(), "ended with 0\r\n");
    },
  );
}

testUnless(
  terminalObstacle,
  "restart() of the module makes a terminal, and ends with the program's status",
  async () => {
    await using dir = await TempDir.make();
    const path = await savedInTerminal(dir, "terminal_modes", "self");
    await using job = await restart(path, { pty: true, stdin: "piped", stdout: "piped" });
    const writer = job.stdin.getWriter();
    await writer.write(new TextEncoder().encode("q"));
    let text = "";
    for await (const piece of job.stdout) text += new TextDecoder().decode(piece);
    await writer.close().catch(() => {});
    assertStringIncludes(text, "EXIT-SUCCESS");
    assertEquals((await job.status).code, 0);
    await eventually(
      "the note that it runs is gone",
      () => Deno.stat(`${path}/running`).then(() => false, () => true),
    );
  },
);

Deno.test("restart --pty with --no-tty says that they do not go together", async () => {
  const { code, stderr } = await run([built("restart"), "--pty", "--no-tty", "x"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--pty does not go with --no-tty");
});
