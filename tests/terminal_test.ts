import { assertEquals, assertStringIncludes } from "@std/assert";
import { basename } from "@std/path";
import { asUser, everyone, type Who } from "./target.ts";
import { built, eventually, isInstalled, run, TempDir, testUnless } from "./support.ts";
import { saveAndKill, Terminal, terminalObstacle, underCkpt } from "./terminal.ts";

interface Session {
  dir: TempDir;
  as: Who;
}

/** Starts a command in a terminal, lets `before` use it, kills it; then the same goes on in another terminal. */
async function moveBetweenTerminals(
  { dir, as }: Session,
  { command, name, before, after }: {
    command: string;
    name: string;
    before: (terminal: Terminal) => Promise<void>;
    after: (terminal: Terminal) => Promise<void>;
  },
): Promise<string> {
  const options = { cwd: dir.path, as };
  {
    await using first = new Terminal(underCkpt(command), options);
    await before(first);
    await saveAndKill(first, name);
    await first.end();
  }
  await using again = new Terminal(
    `${built("restart")} ckpt/job; echo "ended with $?"; stty -a`,
    { ...options, size: [30, 100] },
  );
  await after(again);
  return await again.end();
}

const ESCAPE = "\x1b";

/** What a person does with a program before it is saved, and what is to be seen and done afterwards. */
interface Row {
  program: string;
  command: string;
  /** The name of its process, unless it is that of the program. */
  name?: string;
  before: (terminal: Terminal) => Promise<void>;
  after: (terminal: Terminal) => Promise<void>;
  /** Lines of what the file "text" holds in the end. */
  text?: string[];
}

const numbers = Array.from({ length: 500 }, (_, i) => `line ${i + 1}.`);

const rows: Row[] = [
  {
    program: "vim",
    command: "vim -u NONE -n text",
    async before(terminal) {
      await terminal.shows("line 1.");
      await terminal.type(`3GAhello${ESCAPE}:set showmode\rOanother`);
      await terminal.shows("INSERT");
    },
    async after(terminal) {
      await terminal.shows("another");
      await terminal.shows("line 3.hello");
      await terminal.type(` one${ESCAPE}:wq\r`);
    },
    text: [...numbers.slice(0, 2), "another one", "line 3.hello", ...numbers.slice(3)],
  },
  {
    program: "less",
    command: "less text",
    async before(terminal) {
      await terminal.shows("line 23.");
      await terminal.type("100g");
      await terminal.shows("line 122.");
    },
    async after(terminal) {
      await terminal.shows("line 100.");
      await terminal.shows("\n:");
      await terminal.type("/line 4.7\r");
      await terminal.shows("line 407");
      await terminal.type("q");
    },
  },
  {
    program: "/usr/bin/python3",
    command: "/usr/bin/python3 -q",
    name: "python3",
    async before(terminal) {
      await terminal.type("answer = 6 * 7\r");
      await terminal.shows(">>> ");
      await terminal.shows(">>> ");
      await terminal.type("print('the ans");
      await terminal.shows("print('the ans");
    },
    async after(terminal) {
      await terminal.type("wer is', answer)\r");
      await terminal.shows("the answer is 42");
      await terminal.type(`${ESCAPE}[A${ESCAPE}[A\r`); // up to the first line: its history is there
      await terminal.shows("answer = 6 * 7");
      await terminal.type("\x04");
    },
  },
  {
    program: "bash",
    command: "bash --norc -i",
    async before(terminal) {
      await terminal.type("answer=42\rset -o emacs\recho the ans");
      await terminal.shows("echo the ans");
    },
    async after(terminal) {
      await terminal.type("wer is $answer\r");
      await terminal.shows("the answer is 42");
      await terminal.type("/bin/echo from a child\r");
      await terminal.shows("\rfrom a child");
      await terminal.type("exit\r");
    },
  },
];

for (const as of everyone) {
  testUnless(
    terminalObstacle,
    `restart() sets the modes of its terminal and gives them back, as ${as}`,
    async () => {
      await using dir = await TempDir.make();
      const text = await moveBetweenTerminals({ dir, as }, {
        command: built("tests/terminal_modes"),
        name: "terminal_modes",
        before: (terminal) => terminal.shows("READY"),
        async after(terminal) {
          await terminal.shows("[30 x 100]");
          await terminal.type("mq");
        },
      });
      assertStringIncludes(text, "own modes");
      assertStringIncludes(text, "ended with 0");
      assertStringIncludes(text, " icanon");
    },
  );

  testUnless(
    terminalObstacle,
    `restart() is a job of a shell: Ctrl-Z, fg and Ctrl-C do what they do, as ${as}`,
    async () => {
      await using dir = await TempDir.make();
      const options = { cwd: dir.path, as };
      const shell = "PS1='$ ' exec bash --norc --noediting -i";
      {
        await using first = new Terminal(shell, options);
        await first.type(`${underCkpt(built("tests/fd_terminal"))}\r`);
        await first.shows("READY");
        await saveAndKill(first, "fd_terminal");
      }
      await using again = new Terminal(shell, options);
      await again.type(`${built("restart")} ckpt/job\r`);
      await again.process("fd_terminal");
      await again.type("\x1a");
      await again.shows("Stopped");
      await again.type("fg\r");
      await again.shows("restart ckpt/job");
      await again.type("go\r");
      await again.shows("EXIT-SUCCESS");
      await again.type(`${built("restart")} ckpt/job\r`);
      await again.process("fd_terminal");
      await again.type("\x03");
      await again.shows("^C");
      await again.shows("$ ");
      await again.type("echo ended with $?\r");
      await again.shows("ended with 130");
      await again.type("exit\r");
      await again.end();
    },
  );

  for (const { program, command, name = basename(program), before, after, text } of rows) {
    testUnless(
      terminalObstacle || !await isInstalled(program) && `${program} is not installed`,
      `restart() lets a person go on in ${name} in another terminal, as ${as}`,
      async () => {
        await using dir = await TempDir.make();
        const path = dir.join("text");
        await Deno.writeTextFile(path, lines(numbers));
        await Deno.chmod(path, 0o666);
        const shown = await moveBetweenTerminals({ dir, as }, { command, name, before, after });
        assertStringIncludes(shown, "ended with 0");
        if (text) assertEquals(await Deno.readTextFile(path), lines(text));
      },
    );
  }
}

function lines(all: string[]): string {
  return all.map((line) => `${line}\n`).join("");
}

for (const as of everyone) {
  testUnless(
    terminalObstacle,
    `checkpoint() disturbs no read of a terminal (${as})`,
    async () => {
      await using dir = await TempDir.make();
      await using terminal = new Terminal(underCkpt(built("tests/fd_terminal")), {
        cwd: dir.path,
        as,
      });
      await terminal.shows("READY");
      const pid = await terminal.process("fd_terminal");
      for (let number = 1; number <= 6; number++) {
        const image = dir.join(`ckpt/job/00000${number}.ckpt`);
        if (number % 2) Deno.kill(pid, "SIGUSR2");
        else await run([...asUser(as), built("ckpt"), "save", String(pid)], { cwd: dir.path });
        await eventually(image, () => Deno.stat(image).then(() => true, () => false));
        await terminal.process("fd_terminal");
      }
      await terminal.type("on\r");
      await terminal.shows("EXIT-SUCCESS");
    },
  );
}
