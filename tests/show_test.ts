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
  await using target = Target.launch([built(`tests/${program}`), ...args], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  await target.kill();
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
    locked: false,
    closeOnExec: false,
    position: 0,
    description: 0,
  };
  assertEquals(descriptorWords(some), "unknown anon_inode:[new]?[2J?");
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
