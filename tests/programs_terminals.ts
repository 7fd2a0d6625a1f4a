/**
 * More programs of tests/programs.ts: those that hold terminals, and those that run in them.
 *
 * @module
 */
import type { Workload } from "./programs_workload.ts";

/** Drives what runs in a terminal that this Python holds: each step waits for words, then types keys or does what it says. */
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
        while not re.search(words, re.sub(rb"\\x1b(\\[[0-9;?]*[A-Za-z]|[()].)", b"", seen)):
            try:
                data = os.read(master, 4096)
            except OSError:
                data = b""
            if not data:
                sys.exit("ended before %r was seen" % words)
            seen = (seen + data)[-20000:]
        seen = b""
        if callable(keys):
            keys()
        else:
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

/**
 * Each counts to a file and on the terminal, then takes one line from there. It asks by one letter and answers by one, since tmux may
 * show a longer text in pieces.
 */
const windows = {
  "w0.sh": `i=0; while [ $i -lt 600000 ]; do i=$((i + 1)); echo $i; done > shell
printf A
read -r line
echo "$line" >> shell
echo "$line X"
read -r line
`,
  "w1.py": `with open("python", "w") as file:
    for i in range(6000):
        print(i, sum(range(i * 20)), file=file)
        if i % 20 == 0:
            print(i, flush=True)
    line = input("B")
    print(line, file=file)
print(line, "Y", flush=True)
input()
`,
  "w2.pl": `$| = 1;
open F, ">perl";
for $i (1 .. 300000) {
  $x = ($x * 75 + 74) % 65537 for 1 .. 200;
  print F "$i $x\\n";
  print "$i\\n" if $i % 1000 == 0;
}
print "C";
chomp($line = <STDIN>);
print F "$line\\n";
close F;
print "$line Z\\n";
$line = <STDIN>;
`,
};

/** However fast they come, keys are keys. */
const conf = "set -g assume-paste-time 0\n";

/** Switches windows by keys while all three count, and other clients come and go. */
const tmux = `from drive import drive
import subprocess
def tmux(*words):
    done = subprocess.run(["tmux", "-S", "socket", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    print(done.returncode, done.stdout, flush=True)
command = ["tmux", "-S", "socket", "-f", "../input/tmux.conf"]
for n, run in enumerate(["dash ../input/w0.sh", "/usr/bin/python3 ../input/w1.py", "perl ../input/w2.pl"]):
    command += [";", "new-window"] if n > 0 else ["new-session", "-s", "job"]
    command += ["-n", "w%d" % n, run]
look = lambda: tmux("list-windows", "-F", "#I #W #{window_active}")
steps = [(rb"2:w2\\*", b"")]
for n in [n for _ in range(150) for n in range(3)]:
    steps += [(b"", b"\\x02%d" % n), (rb"%d:w%d\\*" % (n, n), look if n == 0 else b"")]
for n in range(3):
    steps += [(b"", b"\\x02%d" % n), (b"ABC"[n:n + 1], b"typed %d\\r" % n), (b"XYZ"[n:n + 1], b"")]
steps.append((b"", lambda: tmux("list-clients", "-F", "#{session_name} #{client_width}")))
for n in range(3):
    steps.append((b"", lambda n=n: tmux("capture-pane", "-p", "-t", ":%d" % n)))
print("client:", drive(command, steps + [(b"", b"\\x02d")]))
tmux("list-windows", "-F", "#I #W #{window_active} #{pane_dead}")
tmux("kill-server")
tmux("list-windows")
`;

const counting = `import sys
name, most = sys.argv[1], int(sys.argv[2])
x = 7
with open(name, "a") as file:
    for i in range(most + 1):
        for _ in range(2000):
            x = x * 16807 % 2147483647
        print(i, x, file=file)
        if i % 100 == 0:
            print("%s at %d" % (name, i), flush=True)
    print("%s is done" % name, flush=True)
`;

/** A person at a shell: something in the background all the time, something else stopped and continued there and here. */
const jobs = `import sys
from drive import drive
run = b"/usr/bin/python3 ../input/count.py"
steps = [(rb"\\$ ", run + b" all 24000 > /dev/null &\\r")]
for i in range(12):
    name = b"one%d" % i
    steps += [
        (rb"\\$ ", run + b" %s 1000\\r" % name),
        (rb"%s at 200" % name, b"\\x1a"),
        (rb"Stopped", b"jobs\\r"),
        (rb"Stopped.*count.py %s" % name, b"bg\\r"),
        (rb"%s at 400" % name, b"fg\\r"),
        (rb"%s at 600" % name, b"\\x1a"),
        (rb"Stopped", b"fg\\r"),
        (rb"%s is done" % name, b"\\r"),
    ]
steps += [(rb"\\$ ", b"wait; echo waited $?\\r"), (rb"waited 0", b"exit 3\\r")]
print(drive(sys.argv[1:], steps))
`;

/** Through two terminals that socat has, in both directions at once. */
const socat = `flow() { for i in $(seq 40); do cat ../input/bytes; done; }
socat PTY,link=a,rawer PTY,link=b,rawer & relay=$!
until [ -e a ] && [ -e b ]; do sleep 0.02; done
exec 3<> a 4<> b
until stty <&3 | grep -q -e -icanon && stty <&4 | grep -q -e -icanon; do sleep 0.02; done
flow >&3 &
flow | tr a-z A-Z >&4 &
head -c 80000000 <&4 | sha256sum > there &
head -c 80000000 <&3 | sha256sum > back
wait %2 %3 %4
kill $relay
wait $relay
echo "socat ended with $?"
`;

/** It looks through /proc ten times in a second, and now and then shows its help instead. */
const htop = `from drive import drive
steps = []
for i in range(1000):
    steps += [(rb"Load average", b"h"), (rb"GNU GPL", b"\\r")]
print(drive(["htop", "-d", "1"], steps + [(rb"Load average", b"q")]))
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
  {
    name: "tmux with three windows and its client",
    command: "/usr/bin/python3 ../input/tmux.py > out",
    needs: { tmux: "tmux", dash: "dash", perl: "perl", "/usr/bin/python3": "python3" },
    inPlace: true,
    inputs: { "drive.py": drive, "tmux.py": tmux, "tmux.conf": conf, ...windows },
    compare: "rm socket",
  },
  ...["dash -i", "bash --norc --noprofile -i"].map((shell): Workload => ({
    name: `the jobs of ${shell} in a terminal`,
    command: `env PS1='$ ' /usr/bin/python3 ../input/jobs.py ${shell} > out`,
    needs: { dash: "dash", "/usr/bin/python3": "python3" },
    inPlace: true,
    inputs: { "drive.py": drive, "jobs.py": jobs, "count.py": counting },
  })),
  {
    name: "socat between two terminals",
    command: "bash ../input/socat.sh > out",
    needs: { socat: "socat", gawk: "gawk" },
    inPlace: true,
    inputs: { "socat.sh": socat },
    prepare:
      `gawk 'BEGIN { x = 5; for (;;) { x = (x * 16807) % 2147483647; print "some words", x } }' | head -c 2000000 > bytes`,
  },
  {
    name: "htop",
    command: "env HTOPRC=/dev/null /usr/bin/python3 ../input/htop.py > out",
    needs: { htop: "htop", "/usr/bin/python3": "python3" },
    inPlace: true,
    inputs: { "drive.py": drive, "htop.py": htop },
  },
];
