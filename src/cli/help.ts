import { UsageError } from "./arguments.ts";

const DIR = "  --dir D      directory of jobs ($CKPT_DIR, or ckpt)";
const JSON = "  --json       print JSON";
const EVERY = "  --every T    checkpoint by itself every T: 30s, 10m, 1h30m";
const WITH_FILES =
  "  --with-files[=GLOB] carry the contents of its files (whose paths match) in the image";
const TCP =
  "  --tcp=repair keep TCP connections to other processes, too: restart --tcp=repair brings them back";
const KEEP = "  --keep N     with --every: keep the newest N images of the job, remove older ones";
const TIMEOUT = "  --timeout T  how long threads may take to stop for a checkpoint: 30s, 1m (10s)";

const TEXTS: Record<string, string[]> = {
  run: [
    "usage: ckpt run [--name N] [--dir D] [--with-files[=GLOB]] [--tcp=repair] [--every T] [--keep N] [--timeout T] [--detach [--json]] [--] PROGRAM [ARGUMENT...]",
    "",
    "Runs a program so that it can be saved. Terminal, input, output and exit status are its own.",
    "",
    "  --name N     name of the job (PROGRAM-PID)",
    DIR,
    WITH_FILES,
    TCP,
    EVERY,
    KEEP,
    TIMEOUT,
    "  --detach     return once it runs, and say its process id; what it prints to a terminal goes to",
    "               the file output beside its images (ckpt wait NAME waits for its end)",
    "  --json       with --detach: say its name, directory and process id as JSON",
    "",
    "  ckpt run --name sim --every 10m --keep 3 -- ./sim --steps 1e9",
  ],
  save: [
    "usage: ckpt save [--kill] [--with-files[=GLOB]] [--tcp=repair] [--ignore P] [--timeout T] [--dir D] [--json] PID|NAME",
    "",
    "Saves a running program: returns once its image is on disk. The program goes on.",
    "",
    "  --kill       end the program once its image is on disk",
    WITH_FILES,
    TCP,
    "  --ignore P   leave out a descendant, and all that it has started: its process id or name (several)",
    TIMEOUT,
    DIR,
    JSON,
    "",
    "  ckpt save sim",
  ],
  restart: [
    "usage: ckpt restart [OPTION...] [IMAGE|NAME]",
    "",
    "Brings a program back: from an image, from a job's newest image, or from the newest image of all.",
    "NAME@3 is image 3 of a job. Terminal, input, output and exit status are its own.",
    "",
    "  --name N     go on as a job of another name",
    DIR,
    "  --pid P      process ids: auto, same, namespace (in one of its own), new",
    "  --files F    files that have grown since: rewind (cut back, a copy stays), keep, strict",
    "  --clocks C   those that count from the boot: continue (where allowed), machine",
    "  --tcp T      TCP connections to other processes: reset (the program finds them so), refuse, or",
    "               repair (they come back, if they were saved with --tcp=repair)",
    "  --map OLD=NEW what was at OLD, or below it, is now at NEW (several; the longest OLD counts)",
    "  --chdir D    its working directory",
    "  --fd N=PATH  its descriptor N leads to PATH, opened as a shell would; N=inherit: to restart's own",
    EVERY,
    KEEP,
    "  --detach     return once it runs, and say its process id; what it prints to a terminal goes to",
    "               the file output beside its images (ckpt wait NAME waits for its end)",
    "  --json       with --detach: say its name, directory and process id as JSON",
    "  --pty        make a terminal for a program that had one, between input and output",
    "  --no-tty     let it have none: what led to one is /dev/null, or hung up",
    "  --stopped    stop before its first own instruction, until it gets SIGCONT (see ckpt gdb)",
    "  --clone N    N copies side by side, in pid namespaces of their own; they go on as jobs NAME-1",
    "               to NAME-N, and the first status that is not 0 is the status of restart; other options",
    "               count for each",
    "  --any-owner  take an image that belongs to another user",
    "  --ignore-cpu take an image of a machine with another processor",
    "  --quiet      no warnings",
    "",
    "  ckpt restart sim      ckpt restart sim@3      ckpt restart --detach sim",
  ],
  gdb: [
    "usage: ckpt gdb [--keep] [--core] [--dir D] [--any-owner] [--quiet] IMAGE|NAME [-- GDB OPTION...]",
    "",
    "Brings a program back stopped where it was saved, and attaches gdb to all of its processes.",
    "When gdb ends, the program is killed, since the image is still there. Exits with gdb's status.",
    "",
    "  --keep       let it go on in the background when gdb ends, as restart --detach does",
    "  --core       open the image as the core file that it is: nothing is restarted",
    DIR,
    "  --any-owner  take an image that belongs to another user",
    "  --quiet      no warnings",
    "",
    "  ckpt gdb sim      ckpt gdb sim@3 -- -ex bt",
  ],
  wait: [
    "usage: ckpt wait [--dir D] NAME",
    "",
    "Waits for the end of a job, and exits with its status, as far as that is to be known: of a program",
    "that was started or restarted with --detach. 0 otherwise.",
    "",
    DIR,
  ],
  kill: [
    "usage: ckpt kill [--signal S] [--dir D] NAME",
    "",
    "Ends a job with all of its processes. Its images stay.",
    "",
    "  --signal S   send this signal to its first process instead: TERM, INT, CONT, ...",
    DIR,
  ],
  ls: [
    "usage: ckpt ls [--dir D] [--json]",
    "",
    "Lists jobs and their images. NAME@NUMBER means one image wherever a command takes one.",
    "",
    DIR,
    JSON,
  ],
  show: [
    "usage: ckpt show [--threads | --fds | --memory] [--dir D] [--json] IMAGE|NAME",
    "",
    "Shows what is in an image: processes, memory, descriptors, files.",
    "",
    "  --threads    only the threads, each with the function that it is in",
    "  --fds        only the descriptors, in words",
    "  --memory     only the memory, by what it is for, and how much of it the image holds",
    DIR,
    JSON,
  ],
  verify: [
    "usage: ckpt verify [--dir D] [--json] IMAGE|NAME",
    "",
    "Checks every byte of an image, or of all images of a job. Exits with 1 when one is damaged.",
    "",
    DIR,
    JSON,
  ],
  doctor: [
    "usage: ckpt doctor [--json]",
    "",
    "Tries what this machine allows, and says what each missing thing costs. Exits with 1 when ckpt",
    "does not work without one of them.",
    "",
    JSON,
  ],
  help: [
    "usage: ckpt help [COMMAND]",
    "",
    "Explains a command.",
  ],
};

const OVERVIEW = [
  "usage: ckpt COMMAND [ARGUMENT...]",
  "",
  "Saves a running program to disk and brings it back.",
  "",
  "  run       run a program so that it can be saved",
  "  save      save a running program",
  "  restart   bring a program back",
  "  gdb       look at a saved program in a debugger",
  "  wait      wait for a job's end",
  "  kill      end a job, or send it a signal",
  "  ls        list jobs and images",
  "  show      show what is in an image",
  "  verify    check every byte of images",
  "  doctor    say what this machine allows",
  "  help      explain a command",
  "",
  "  --version print the version",
  "",
  "  ckpt run --name sim -- ./sim      ckpt save sim      ckpt restart sim",
];

/** Whether there is a command of that name. */
export function isCommand(name: string): boolean {
  return Object.hasOwn(TEXTS, name);
}

/** A command's help, or the overview. */
export function help(name?: string): string {
  return (name === undefined ? OVERVIEW : TEXTS[name]!).join("\n");
}

/** `ckpt help` */
export function helpCommand(args: string[]): number {
  const [name] = args;
  if (args.length > 1) throw new UsageError("Name one command");
  if (name !== undefined && !isCommand(name)) throw new UsageError(`There is no command ${name}`);
  console.log(help(name));
  return 0;
}
