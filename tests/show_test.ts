import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Descriptor, Image } from "../mod.ts";
import { descriptorWords } from "../src/descriptor_words.ts";
import { groupMemory } from "../src/memory_groups.ts";
import type { Region } from "../src/process_image.ts";
import { addressWords } from "../src/socket_address.ts";
import { built, run, TempDir } from "./support.ts";
import { Target } from "./target.ts";

function ckpt(...args: string[]) {
  return run([built("ckpt"), "show", ...args], { env: { NO_COLOR: "1" } });
}

/** An image of a program with its working directory in `dir`. */
async function imageOf(dir: TempDir, program: string, ...args: string[]): Promise<string> {
  // Without what the tests have been started with, so that numbers are the same everywhere.
  const script = 'for fd in {3..255}; do eval "exec $fd>&-"; done; exec "$@"';
  const command = ["bash", "-c", script, "bash", built(`tests/${program}`), ...args];
  await using target = Target.launch(command, {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.send("go\n"); // it removes what is not in the directory
  await target.succeed();
  return image;
}

Deno.test("ckpt show --fds says what each descriptor is", async () => {
  await using dir = await TempDir.make();
  const image = await imageOf(dir, "shown", dir.path);
  const { stdout, code } = await ckpt("--fds", image);
  assertEquals(code, 0);
  const lines = stdout.replaceAll(dir.path, "DIR").replace(/:\d{4,5}\b/g, ":PORT").trim().split(
    "\n",
  );
  assertEquals(lines.slice(3).filter((line) => !line.endsWith("that leads outside")), [
    "3: DIR/log, written at 100 of 100, append",
    "4: DIR/data, read and written at 4096 of 8192, locked",
    "5: the same as 4",
    "6: DIR, directory",
    "7: DIR/log, as a path only",
    "8: /dev/zero",
    "9: pipe from 10, 5 bytes waiting",
    "10: pipe to 9, 5 bytes waiting",
    "11: unix stream to 12",
    "12: unix stream to 11, 1 byte waiting",
    "13: TCP 127.0.0.1:PORT listening",
    "14: TCP [::1]:PORT",
    "15: UDP 127.0.0.1:PORT to 127.0.0.1:PORT",
    "16: unix packet socket listening",
    "17: eventfd at 7",
    "18: epoll set of 17",
    lines.find((line) => line.startsWith("19: "))!,
    "20: signalfd for SIGINT, 35",
  ]);
  assertMatch(stdout, /\n19: timer, in 3[56]\d\d\.?\d* s, every 60 s\n/);
  assertMatch(lines[0]!, /^0: pipe that leads outside$/);

  const { descriptors } = (await Image.open(image)).processes[0]!;
  const found = JSON.parse((await ckpt("--fds", "--json", image)).stdout);
  assertEquals(found.map(({ words }: Descriptor) => words), descriptors.map(({ words }) => words));
  const { peers, waiting, access } = descriptors.find(({ fd }) => fd === 9)!;
  assertEquals({ peers, waiting, access }, { peers: [10], waiting: 5, access: "read" });
  assertEquals(descriptors.find(({ fd }) => fd === 13)!.state, "listening");
  // The whole picture has the same words.
  assert((await ckpt(image)).stdout.includes("\n  9: pipe from 10, 5 bytes waiting\n"));
});

Deno.test("ckpt show --memory says what memory is for, and how much the image holds", async () => {
  await using dir = await TempDir.make();
  const image = await imageOf(dir, "thread_kinds");
  const { stdout } = await ckpt("--memory", image);
  const rows = stdout.trim().split("\n");
  assertMatch(rows[0]!, /^MEMORY +REGIONS +SIZE +IN THE IMAGE +FILE$/);
  for (
    const kind of ["heap", "stack", "kernel", "thread stacks", "reserved", "anonymous", "total"]
  ) {
    assert(rows.some((row) => row.startsWith(`${kind}  `)), `${kind}: ${stdout}`);
  }
  assertMatch(stdout, /\nfile +\d+ +[\d.]+ [kM]iB +[\d.]+ (B|[kM]iB) +\/.*\/libc\.so\.6\n/);

  const { memory, regions, size } = (await Image.open(image)).processes[0]!;
  const total = (numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0);
  assertEquals(total(memory.map(({ stored }) => stored)), size);
  assertEquals(total(memory.map(({ regions }) => regions)), regions.length);
  assertEquals(
    total(memory.map(({ size }) => size)),
    total(regions.map(({ start, end }) => Number(end - start))),
  );
  const found = JSON.parse((await ckpt("--memory", "--json", image)).stdout);
  assertEquals(found.length, memory.length);
});

/** The lines of `ckpt show`, ids and the directory left out. */
async function lines(dir: TempDir, part: string, program: string, ...args: string[]) {
  const image = await imageOf(dir, program, ...args);
  const { stdout } = await ckpt(part, image);
  const { processes } = await Image.open(image);
  let text = stdout.replaceAll(dir.path, "DIR").replace(/-[A-Za-z0-9]{6}\b/g, "-NAME")
    .replace(/:\d{4,5}\b/g, ":PORT");
  processes.forEach(({ pid }, i) =>
    text = text.replaceAll(new RegExp(`\\b${pid}\\b`, "g"), `P${i}`)
  );
  return text.trimEnd().split("\n");
}

/** By program, and what it is given, what is to be among what is shown. */
const SHOWN: [part: string, program: string, args: string[], lines: string[]][] = [
  ["--fds", "fd_locks", ["DIR/d"], [
    "3: DIR/d.posix, read and written at 0 of 0, bytes 10 to 29 locked",
    "4: DIR/d.flock, read and written at 0 of 0, locked",
    "5: DIR/d.shared, read and written at 0 of 0, locked for sharing",
    "6: DIR/d.ofd, read and written at 0 of 0, bytes 10 to 29 locked",
  ]],
  ["--fds", "fd_memfd", [], [
    '3: memfd "some memory", read and written at 8 of 1048576, sealed against shrinking and growing, contents in the image',
    "4: /etc, as a path only",
    "5: the program's own process",
  ]],
  ["--fds", "fd_flags", ["DIR/d"], [
    "3: DIR/d/direct, read and written at 4096 of 4096, direct, synchronous",
    "6: a process that has ended",
  ]],
  ["--fds", "fd_async", [], [
    "3: pipe from 4, 5 bytes waiting, signals when it is ready",
    "50: the same as 3",
  ]],
  ["--fds", "fd_in_flight", [], [
    "4: unix stream to 3, 100009 bytes waiting, 3 descriptors in flight",
  ]],
  ["--fds", "fd_proc", [], ["5: /proc/P0/status, read at 6", "8: /proc/P0, as a path only"]],
  ["--fds", "fd_netlink", [], ["3: netlink socket for routes"]],
  ["--fds", "fd_eventfd", [], ["3: eventfd at 12", "4: eventfd at 3, a semaphore"]],
  ["--fds", "fd_mqueue", [], ["3: message queue /ckpt-test-P0, 0 messages waiting, room for 5"]],
  ["--fds", "fd_socketpair", [], [
    "9: unix stream to 10, shut for writing",
    "10: unix stream to 9, shut for reading, 10 bytes waiting",
    "13: unix stream, its other end is closed, 4 bytes waiting",
    "15: unix stream, comes back reset",
  ]],
  ["--fds", "fd_tcp", [], [
    "9: TCP [::ffff:127.0.0.1]:PORT to [::ffff:127.0.0.1]:PORT, 5 bytes waiting",
  ]],
  ["--fds", "tree_shared", [], [
    "3: DIR/shared-NAME, read and written at 5 of 5, locked, shared with process P1",
    "7: pipe to 6 of process P1",
    "11: epoll set of 8, shared with process P1",
    "11: epoll set of 8, shared with process P0",
    "6: pipe from 7 of process P0",
    "10: unix packet to 9 of process P0, 4 bytes waiting",
  ]],
  ["--fds", "tree_pipe", [], [
    "4: pipe to 3 of process P1, 3 of process P2, 3 of process P3 and 3 more, 6 bytes waiting, shared with 6 other processes",
  ]],
  ["--fds", "tree_unix", [], [
    "6: unix stream listener to 3 of process P1, 15 bytes waiting, 1 descriptor in flight",
  ]],
];

for (const [part, program, args, wanted] of SHOWN) {
  Deno.test(`ckpt show ${part} has the words for ${program}`, async () => {
    await using dir = await TempDir.make();
    const own = args.map((word) => word.replace("DIR", dir.path));
    const shown = await lines(dir, part, program, ...own);
    for (const line of wanted) assert(shown.includes(line), `${line}\n${shown.join("\n")}`);
  });
}

Deno.test("ckpt show --memory names memory that is no file's", async () => {
  await using dir = await TempDir.make();
  const shown = (await lines(dir, "--memory", "tree_shm")).join("\n");
  assertMatch(shown, /^shared +1 +2 MiB +2 MiB +System V segment$/m);
  assertMatch(shown, /^shared +1 +2 MiB +2 MiB +memfd "mapped"$/m);
  assertMatch(shown, /^shared +1 +2 MiB +2 MiB$/m);
  assertMatch(shown, /^shared file +1 +2 MiB +0 B and its file +\/dev\/shm\/ckpt-test-P0$/m);
});

Deno.test("ckpt show takes one part at a time", async () => {
  const { code, stderr } = await ckpt("--fds", "--memory", "x");
  assertEquals([code, stderr.split("\n")[0]], [2, "error: --fds and --memory do not go together"]);
});

Deno.test("descriptorWords() has words for a kind that it does not know, and for hostile names", () => {
  const some: Descriptor = {
    fd: 3,
    kind: "unknown",
    name: "anon_inode:[new]\x1b[2J\n",
    words: "",
    flags: 0,
    access: "read",
    append: false,
    nonBlocking: false,
    locks: [],
    locked: false,
    closeOnExec: false,
    position: 0,
    description: 0,
  };
  assertEquals(descriptorWords(some), "unknown anon_inode:[new]?[2J?");
  const watches = [9, 3, 5, 4, 12, 13];
  assertEquals(
    descriptorWords({ ...some, kind: "epoll", watches }),
    "epoll set of 3 to 5, 9, 12, 13",
  );
  const inotify = { ...some, kind: "inotify" as const };
  assertEquals(
    descriptorWords({ ...inotify, paths: ["/a", "/b"] }),
    "inotify instance for /a and /b",
  );
  assertEquals(
    descriptorWords({ ...inotify, paths: ["/a", "/b", "/c", "/d", "/e"] }),
    "inotify instance for /a, /b, /c and 2 more",
  );
  const sharedBy = [7, 8, 9];
  assertEquals(
    descriptorWords({ ...some, name: "x", sharedBy }, { pid: 8 }),
    "unknown x, shared with processes 7 and 9",
  );
  assertEquals(descriptorWords({ ...some, kind: "pipe" }), "pipe whose other end is closed");
});

Deno.test("addressWords() writes addresses as people do", () => {
  const inet6 = (...groups: number[]) => {
    const bytes = new Uint8Array(28);
    bytes.set([10, 0, 0, 80]);
    groups.forEach((group, i) => bytes.set([group >> 8, group & 255], 8 + 2 * i));
    return addressWords(bytes);
  };
  assertEquals(addressWords(new Uint8Array([2, 0, 0x18, 0xeb, 127, 0, 0, 1])), "127.0.0.1:6379");
  assertEquals(inet6(0, 0, 0, 0, 0, 0, 0, 0), "[::]:80");
  assertEquals(inet6(0, 0, 0, 0, 0, 0, 0, 1), "[::1]:80");
  assertEquals(inet6(0xfe80, 0, 0, 0, 1, 0, 0, 0x10), "[fe80::1:0:0:10]:80");
  assertEquals(inet6(1, 0, 3, 4, 5, 6, 7, 8), "[1:0:3:4:5:6:7:8]:80");
  assertEquals(inet6(1, 2, 3, 4, 5, 6, 0, 0), "[1:2:3:4:5:6::]:80");
  assertEquals(inet6(0, 0, 0, 0, 0, 0xffff, 0x7f00, 1), "[::ffff:127.0.0.1]:80");
  const unix = (name: string) =>
    addressWords(new Uint8Array([1, 0, ...new TextEncoder().encode(name)]));
  assertEquals([unix(""), unix("/run/x\0\0"), unix("/run/x"), unix("\0abc")], [
    undefined,
    "/run/x",
    "/run/x",
    "@abc",
  ]);
  assertEquals([addressWords(new Uint8Array([])), addressWords(new Uint8Array([2, 0, 1]))], [
    undefined,
    undefined,
  ]);
});

Deno.test("groupMemory() takes regions of one kind together, the largest first", () => {
  const region = (start: number, of: Partial<Region>): Region => ({
    start: BigInt(start),
    end: BigInt(start + 10),
    protection: "rw-",
    kind: "anonymous",
    flags: [],
    path: "",
    offset: 0n,
    carried: false,
    stored: 0,
    inherited: 0,
    ...of,
  });
  const groups = groupMemory([
    region(0, { kind: "file", path: "/a", stored: 4 }),
    region(10, { kind: "file", path: "/b" }),
    region(20, { kind: "file", path: "/b", stored: 1 }),
    region(30, { flags: ["heap"] }),
    region(40, { protection: "---" }),
    region(50, {}),
    region(60, { kind: "unknown" }),
  ], [{ tid: 1, name: "", instruction: 0n, stack: 55n, ended: false }]);
  assertEquals(groups.map(({ kind, path, regions, stored }) => [kind, path, regions, stored]), [
    ["heap", "", 1, 0],
    ["file", "/b", 2, 1],
    ["file", "/a", 1, 4],
    ["thread stacks", "", 1, 0],
    ["reserved", "", 1, 0],
    ["other", "", 1, 0],
  ]);
});
