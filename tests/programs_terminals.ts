/**
 * More programs of tests/programs.ts: those that hold terminals, and those that run in them.
 *
 * @module
 */
import type { Workload } from "./programs_table.ts";

/** Drives what runs in a terminal that this Python holds: each step waits for words and types keys. */
const drive = `import os, pty, re, select, sys, time
def drive(command, steps, rows=24, columns=80):
    import fcntl, struct, termios
    pid, master = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp(command[0], command)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = b""
    for words, keys in steps:
        while not re.search(words, seen):
            try:
                data = os.read(master, 4096)
            except OSError:
                data = b""
            if not data:
                sys.exit("ended before %r was seen" % words)
            seen += data
        seen = b""
        for key in keys:
            os.write(master, bytes([key]))
    try:
        while os.read(master, 4096):
            pass
    except OSError:
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
`;

const work =
  `work() { local x=$1 i; for ((i = 0; i < $2; i++)); do x=$(((x * 75 + 74) % 65537)); done; echo "$1 $x"; }
`;

export const terminalWorkloads: Workload[] = [
  {
    name: "script",
    command: "script -qec 'bash --norc ../input/shown.sh' /dev/null > out",
    needs: { script: "bsdutils" },
    inPlace: true,
    inputs: {
      "shown.sh": `${work}tty -s && [ "$(ps -o tpgid= $$)" -eq $$ ] && echo "in the foreground"
for ((round = 0; round < 120; round++)); do
  work $round 2000
  (work $((round + 500)) 500) &
  wait
  printf '\\ttab %s\\n' $round
done
stty -a
`,
    },
  },
  {
    name: "vim and less in a terminal of the job's",
    command: "/usr/bin/python3 ../input/editors.py > out",
    needs: { vim: "vim", less: "less", "/usr/bin/python3": "python3" },
    inPlace: true,
    inputs: {
      "drive.py": drive,
      "editors.py": `from drive import drive
with open("text", "w") as file:
    file.write("".join("line %d.\\n" % i for i in range(1, 501)))
steps = [(rb"line 1\\.", b"")]
for i in range(960):
    text = b"inserted %d" % i
    steps.append((b"", b"%dGA %s\\x1b:echo 'done' %d\\r" % (i % 240 * 2 + 2, text, i)))
    steps.append((rb"done %d" % i, b""))
steps.append((b"", b":wq\\r"))
print(drive(["vim", "-u", "NONE", "-n", "text"], steps))
steps = [(rb"line 22\\.", b"")]
for i in [i for _ in range(4) for i in range(10, 160)]:
    steps.append((b"", b"%dg" % (i * 3)))
    steps.append((rb"line %d\\." % min(i * 3 + 22, 500), b""))
print(drive(["less", "text"], steps + [(b"", b"q")]))
`,
    },
  },
];
