/**
 * More programs of tests/programs.ts: those that live by their files and descriptors.
 *
 * @module
 */
import { linesOfText } from "./programs_prepare.ts";
import type { Workload } from "./programs_workload.ts";

export const fileWorkloads: Workload[] = [
  {
    name: "sqlite3 in WAL mode",
    command: "sqlite3 data.db '.read ../input/wal.sql' > out",
    needs: { sqlite3: "sqlite3" },
    inPlace: true,
    inputs: {
      "wal.sql": `PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = 50;
CREATE TABLE t (k INTEGER PRIMARY KEY, x INTEGER, s TEXT);
CREATE INDEX tx ON t (x);
` + Array.from({ length: 12 }, (_, i) =>
        `BEGIN IMMEDIATE;
INSERT INTO t (x, s) WITH RECURSIVE n(i, x) AS (SELECT 1, ${i + 7} UNION ALL
  SELECT i + 1, (x * 16807) % 2147483647 FROM n WHERE i < 15000) SELECT x, hex(x) || 'row' FROM n;
UPDATE t SET s = s || '+' WHERE x % 5 = ${i % 5};
${
          i % 4 === 3
            ? "ROLLBACK"
            : "COMMIT"
        };
SELECT count(*), sum(x), max(s) FROM t;
PRAGMA integrity_check;
`).join(""),
    },
  },
  {
    name: "dd",
    command: "dd if=../input/text of=out ibs=100 obs=77 conv=ucase,swab,fsync status=none",
    needs: { dd: "coreutils", gawk: "gawk" },
    prepare: linesOfText(2200000),
  },
  {
    name: "git repack",
    command:
      "sh -c 'cp -r ../input/repo . && git --git-dir=repo -c pack.threads=1 repack -q -adf --window=200'",
    needs: { git: "git", gawk: "gawk" },
    inPlace: true,
    prepare: `git init -q --bare repo
gawk 'BEGIN { x = 5; for (c = 1; c <= 150; c++) {
  text = ""
  for (i = 0; i < 1500; i++) { x = (x * 16807) % 2147483647; text = text (i % 7 ? i : x) " line of a file\\n" }
  print "commit refs/heads/main\\ncommitter A <a@b> " c " +0000\\ndata 1\\nx"
  print "M 644 inline file" c % 9 "\\ndata " length(text) "\\n" text } }' |
  git --git-dir=repo fast-import --quiet`,
  },
  {
    name: "AddressSanitizer",
    command: "../input/lists > out",
    needs: { gcc: "gcc" },
    prepare:
      "gcc -O1 -g -fsanitize=address,undefined -static-libasan -static-libubsan lists.c -o lists",
    inputs: {
      "lists.c": `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct item { struct item *next; unsigned x; char text[]; };
int main(void) {
  struct item *lists[1009] = { 0 };
  unsigned x = 7, sum = 0;
  for (int i = 0; i < 6000000; i++) {
    x = x * 1103515245u + 12345u;
    struct item **list = &lists[x % 1009];
    if (*list && x & 0x10000) {
      struct item *gone = *list;
      sum = sum * 31 + (unsigned)strlen(gone->text) + gone->x;
      *list = gone->next;
      free(gone);
    } else {
      struct item *new = malloc(sizeof *new + 64 + x % 64);
      if (!new) return 1;
      new->x = x;
      snprintf(new->text, 64, "%u", x);
      new->next = *list;
      *list = new;
    }
    if (i % 100000 == 0) { printf("%d %u\\n", i, sum); fflush(stdout); }
  }
  for (int i = 0; i < 1009; i++)
    for (struct item *at = lists[i], *next; at; at = next) {
      sum = sum * 31 + at->x;
      next = at->next;
      free(at);
    }
  printf("%u\\n", sum);
}
`,
    },
  },
  {
    name: "10,000 open files",
    command: "/usr/bin/python3 ../input/many.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inputs: {
      "many.py": `import os, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
# A restart needs twice as many for a moment.
count = 10000 if hard == resource.RLIM_INFINITY else min(10000, hard // 2 - 100)
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, hard))
os.mkdir("many")
files = [open("many/%d" % i, "w+b", buffering=0) for i in range(count)]
x, total = 7, 0
for i in range(900000):
    x = x * 16807 % 2147483647
    file = files[x % count]
    if x & 0x10000:
        file.write(b"%d %d\\n" % (i, x))
    else:
        at = file.seek(0, os.SEEK_CUR)
        file.seek(at // 2)
        total = (total * 31 + len(file.read(64)) + at) % 2147483647
        file.seek(0, os.SEEK_END)
    if i % 20000 == 0:
        print(i, total, flush=True)
print(sum(file.tell() for file in files), total)
`,
    },
  },
  {
    name: "python3 with mmap, memfds and pipes",
    command: "/usr/bin/python3 ../input/maps.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inPlace: true,
    inputs: {
      "maps.py": `import hashlib, mmap, os, select
SIZE = 8 << 20
with open("mapped", "wb") as file:
    file.truncate(SIZE)
file = open("mapped", "r+b")
shared = mmap.mmap(file.fileno(), SIZE)
private = mmap.mmap(file.fileno(), SIZE, flags=mmap.MAP_PRIVATE)
nameless = mmap.mmap(-1, SIZE)
memfd = os.memfd_create("memory")
os.ftruncate(memfd, SIZE)
inside = mmap.mmap(memfd, SIZE)
out, into = os.pipe()
poll = select.epoll()
poll.register(out, select.EPOLLIN)
x, digest = 7, hashlib.sha256()
for i in range(700000):
    x = x * 16807 % 2147483647
    at = x % (SIZE - 16)
    word = b"%10d" % x
    (shared, private, nameless, inside)[x >> 10 & 3][at:at + 10] = word
    os.write(into, word)
    os.pwrite(memfd, word, SIZE - 16 - at)
    if i % 1000 == 999:
        assert poll.poll() == [(out, select.EPOLLIN)]
        digest.update(os.read(out, 65536))
        digest.update(inside[at:at + 1000])
        digest.update(shared[at:at + 1000])
        digest.update(private[at:at + 1000])
        digest.update(nameless[at:at + 1000])
    if i % 20000 == 0:
        print(i, digest.hexdigest(), flush=True)
for memory in (shared, private, nameless, inside):
    print(hashlib.sha256(memory).hexdigest())
`,
    },
  },
  {
    name: "node with file streams",
    command: "node ../input/streams.js > out",
    needs: { node: "nodejs", gawk: "gawk" },
    prepare: linesOfText(1200000),
    inputs: {
      "streams.js": `const fs = require("node:fs");
const zlib = require("node:zlib");
const { createHash } = require("node:crypto");
const { Transform } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const upper = () => new Transform({
  transform(chunk, _, done) { done(null, chunk.toString("latin1").toUpperCase()); },
});
(async () => {
  for (let i = 0; i < 3; i++) {
    await pipeline(fs.createReadStream("../input/text"), upper(), zlib.createGzip({ level: 6 }),
      fs.createWriteStream("packed" + i));
    const hash = createHash("sha256");
    await pipeline(fs.createReadStream("packed" + i), zlib.createGunzip(), hash);
    console.log(i, hash.digest("hex"));
    await Promise.all([1, 2, 3, 4].map((part) => pipeline(
      fs.createReadStream("../input/text", { start: part * 1000, end: part * 5000000, highWaterMark: 7000 }),
      fs.createWriteStream("part" + i + "-" + part))));
  }
})();
`,
    },
  },
  {
    name: "python3 with an asyncio server and its clients",
    command: "/usr/bin/python3 ../input/pair.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inputs: {
      "pair.py": `import asyncio, hashlib
CLIENTS, ROUNDS = 6, 5000
async def serve(reader, writer):
    digest = hashlib.sha256()
    while line := await reader.readline():
        body = await reader.readexactly(int(line))
        digest.update(body)
        writer.write(b"%s %d\\n" % (digest.hexdigest().encode(), len(body)))
        await writer.drain()
    writer.close()
async def call(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    digest, x = hashlib.sha256(), number + 7
    for i in range(ROUNDS):
        x = x * 16807 % 2147483647
        body = b"%d " % x * (x % 300)
        digest.update(body)
        writer.write(b"%d\\n" % len(body) + body)
        await writer.drain()
        assert (await reader.readline()).decode().split() == [digest.hexdigest(), str(len(body))]
    writer.close()
    await writer.wait_closed()
    return digest.hexdigest()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for digest in await asyncio.gather(*(call(port, i) for i in range(CLIENTS))):
        print(digest)
asyncio.run(main())
`,
    },
  },
  {
    name: "python3 with inotify",
    command: "/usr/bin/python3 ../input/watch.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inPlace: true,
    inputs: {
      "watch.py": `import ctypes, hashlib, os, struct
libc = ctypes.CDLL(None, use_errno=True)
CLOSE_WRITE, OVERFLOW = 0x8, 0x4000
os.mkdir("watched")
watcher = libc.inotify_init1(os.O_CLOEXEC)
watch = libc.inotify_add_watch(watcher, b"watched", CLOSE_WRITE)
assert watcher >= 0 and watch == 1
waiting, seen, digest, x = [], 0, hashlib.sha256(), 7
def take():
    """Events come in order. After an overflow, which says that some are lost, the directory itself must be looked at."""
    global seen
    data, at = os.read(watcher, 65536), 0
    while at < len(data):
        number, mask, _, length = struct.unpack_from("iIII", data, at)
        name = data[at + 16:at + 16 + length].rstrip(b"\\0").decode()
        at += 16 + length
        if mask & OVERFLOW:
            found = [name for name in waiting if os.path.exists("watched/" + name)]
            assert found == waiting
            seen += len(waiting)
            waiting.clear()
            continue
        assert (number, mask) == (watch, CLOSE_WRITE)
        if name in waiting:
            assert waiting.pop(0) == name
            seen += 1
for i in range(90000):
    x = x * 16807 % 2147483647
    name = "file%d" % (i % 500)
    # To truncate would make ext4 write each to the disk.
    with open("watched/" + name, "a") as file:
        file.write("%d %d" % (i, x))
    waiting.append(name)
    digest.update(b"%d" % x)
    if i % 20 == 19:
        while waiting:
            take()
print(seen, digest.hexdigest())
`,
    },
  },
  {
    name: "sqlite3 killed within a transaction",
    command: "sqlite3 data.db '.read ../input/transactions.sql' > out",
    needs: { sqlite3: "sqlite3" },
    withFiles: true,
    // A database that was left in the middle of a transaction is whole, whoever opens it.
    killed:
      `cp data.db data.db-wal copied/ && sqlite3 copied/data.db 'PRAGMA integrity_check' | grep -qx ok`,
    inputs: {
      "transactions.sql": `PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = 50;
PRAGMA wal_autocheckpoint = 200;
CREATE TABLE t (k INTEGER PRIMARY KEY, x INTEGER, s TEXT);
CREATE INDEX tx ON t (x);
` + Array.from({ length: 8 }, (_, i) =>
        `BEGIN IMMEDIATE;
INSERT INTO t (x, s) WITH RECURSIVE n(i, x) AS (SELECT 1, ${i + 7} UNION ALL
  SELECT i + 1, (x * 16807) % 2147483647 FROM n WHERE i < 15000) SELECT x, hex(x) || 'row' FROM n;
UPDATE t SET s = s || '+' WHERE x % 5 = ${i % 5};
COMMIT;
SELECT count(*), sum(x), max(s) FROM t;
PRAGMA integrity_check;
`).join(""),
    },
  },
  {
    name: "tail -f of a log that another process writes",
    command: "sh -c 'touch log; tail -n +1 -f log | gawk -f ../input/follow.awk > out; touch done'",
    needs: { tail: "coreutils", gawk: "gawk" },
    inPlace: true,
    inputs: {
      "follow.awk": `$1 != NR { print "line", $1, "is number", NR }
{ x = (x * 31 + $1 * $1) % 2147483647 }
NR % 1000 == 0 { print NR, x }
NR == 10000 { exit }
`,
    },
    // tail overlooks the event that tells of lost ones: the log goes on until all has been read, a minute at most.
    beside:
      `for i in $(seq 3000); do seq $((i * 50 - 49)) $((i * 50)) >> log; [ ! -e done ] || exit 0; sleep 0.02; done`,
    compare: "rm log",
  },
  {
    // What it writes says when, so that only its own look at it tells whether all is there.
    name: "fio, queues of asynchronous I/O",
    command: `fio --name=x --filename=data --ioengine=libaio --direct=1 --iodepth=32 --thread \\
  --rw=randwrite --bs=16k --size=128M --rate_iops=1200 --verify=crc32c --verify_fatal=1 --verify_state_save=0 > out`,
    needs: { fio: "fio" },
    inPlace: true,
    compare: "rm data; grep -o 'err= 0\\|io=128MiB' out > common; rm out",
  },
];
