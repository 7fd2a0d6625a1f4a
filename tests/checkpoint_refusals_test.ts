import { join } from "@std/path";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { attach, CheckpointError } from "../mod.ts";
import { built, eventually, givesNone, isRoot, run, TempDir, testUnless } from "./support.ts";
import { asUser, everyone, imagesOf, Target, traceObstacle, userObstacle } from "./target.ts";

/** Every path below a directory. */
function pathsBelow(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].flatMap((entry) => [
      `${path}/${entry.name}`,
      ...entry.isDirectory ? pathsBelow(`${path}/${entry.name}`) : [],
    ]);
  } catch {
    return [];
  }
}

/** The program must be refused with one line that matches, leave nothing, and go on to its end. */
async function refused(command: string[], words: RegExp, env: Record<string, string> = {}) {
  await using dir = await TempDir.make();
  await using target = Target.launch(command, { dir: dir.join("ckpt"), env });
  await target.waitFor("READY\n");
  Deno.kill(target.pid, "SIGUSR2");
  await target.waitForError(/\n/);
  assertEquals(imagesOf(target.job), []);
  assert(words.test(target.stderr.text), `${words} is not in: ${target.stderr.text}`);
  assertEquals(target.stderr.text.trimEnd().split("\n").length, 1, target.stderr.text);
  assertEquals(pathsBelow(target.job).filter((path) => !path.endsWith("/job")), []);
  await target.send("go\n");
  await target.succeed();
}

Deno.test("checkpoint() refuses asynchronous polls by name, and disturbs none", async () => {
  await refused([built("tests/aio_queues"), "poll"], /memory at .*aio.*polls under way/);
});

for (const kind of ["unix", "packets", "udp"]) {
  Deno.test(`checkpoint() refuses an empty packet (${kind}) that it cannot see, and saves one that it can`, async () => {
    await refused([built("tests/fd_empty"), kind, "looked at"], /is a socket with an empty packet/);
    await using dir = await TempDir.make();
    await using first = Target.launch([built("tests/fd_empty"), kind], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await first.send("go\n");
    await first.succeed();
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
  });
}

Deno.test("checkpoint() refuses a thread that cannot be stopped, by its name, and lets the program go on", async () => {
  await refused(
    [built("tests/threads_stubborn")],
    /thread \d+ \("the-second"\).*blocks signal 32/,
    { CKPT_TIMEOUT: "1" },
  );
});

for (
  const [kind, words] of [
    ["netlink", /netlink socket of a family/],
    ["message", /netlink socket with messages/],
    ["packet", /a socket/],
    ["filter", /socket with a filter in eBPF/],
    ["senders", /multicast group from some senders only/],
    ["tls", /TCP socket with another protocol on top/],
    ["signals", /epoll.*nobody but the process that has it/],
    ["inotify", /inotify.*watch 1 .*not found/],
    ["pidfd", /pidfd of another process/],
    ["lease", /lease/],
    ["queue", /message queue that has been removed, and that others have open/],
    ["pipe", /one end of a pipe whose other end is outside/],
    ["owner", /one that signals a thread of another process/],
    ["pressure", /a pressure trigger/],
    ["/dev/loop0", /a block device/],
    ["io_uring", /io_uring/],
    ["perf", /perf event/],
    ["bpf", /bpf-map/],
    ["landlock", /landlock/],
    ["userfaultfd", /userfaultfd/],
    ["fanotify", /fanotify/],
    ["fscontext", /fscontext/],
    ["secret", /secret/],
    ["/proc/self/ns/net", /namespace/],
    ["/dev/kmsg", /device \(\/dev\/kmsg\)/],
    ["/dev/fuse", /device \(\/dev\/fuse\)/],
    ["/dev/kvm", /device \(\/dev\/kvm\)/],
    ["/dev/udmabuf", /device \(\/dev\/udmabuf\)/],
  ] as const
) {
  const command = [built("tests/fd_other"), kind];
  testUnless(
    await givesNone(command),
    `checkpoint() refuses a descriptor for ${kind} by number and kind`,
    () => refused(command, new RegExp(`descriptor 9\\b.*${words.source}`)),
  );
}

for (const kind of ["unix", "unix in line", "tcp", "tcp in line", "tcp read", "tcp at it"]) {
  Deno.test(`checkpoint() refuses urgent data, and disturbs none: ${kind}`, () =>
    refused(
      [built("tests/fd_urgent"), ...kind.split(" ").slice(0, 2)],
      /descriptor 9.*urgent data in it/,
    ));
}

testUnless(
  await givesNone([built("tests/memory_droppable"), "secret"]),
  "checkpoint() refuses secret memory that no descriptor leads to",
  () => refused([built("tests/memory_droppable"), "secret"], /memory at .*is secret memory/),
);

for (
  const [kind, words] of [
    ["half-read", /a half-read file of a process's that is in flight/],
    ["signalling", /signals its input and output, and is in flight/],
    ["leased", /signals its input and output, and is in flight/],
  ] as const
) {
  Deno.test(`checkpoint() refuses what is in flight and ${kind}`, () =>
    refused([built("tests/fd_other"), kind], words));
}

Deno.test("checkpoint() without kcmp refuses an epoll set that watches what has another number by now", async () => {
  await refused([built("tests/fd_other"), "epoll"], /epoll.*closed or reused/, {
    CKPT_FORCE: "fcntl",
  });
});

for (
  const [kind, words] of [
    ["descriptors", /thread \d+ .*has descriptors of its own/],
    ["directory", /thread \d+ .*has a working directory of its own/],
    ["filter", /thread \d+ .*runs under a seccomp filter/],
    ["rights", /thread \d+ .*has no_new_privs for itself/],
    ["user", /thread \d+ .*has user ids of its own/],
    ["capabilities", /thread \d+ .*has capabilities of its own/],
    ["network", /thread \d+ .*is in another network namespace/],
    ["child-descriptors", /process \d+ .*has its descriptors in common with its parent/],
    ["child-directory", /process \d+ .*has its working directory in common with its parent/],
  ] as const
) {
  const needsRoot = ["user", "capabilities", "network"].includes(kind);
  testUnless(
    needsRoot && !isRoot && "needs root",
    `checkpoint() refuses what a restart would not keep apart or together: ${kind}`,
    () => refused([built("tests/thread_apart"), kind], words),
  );
}

Deno.test("checkpoint() refuses a child that has its parent's memory, and saves the parent", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/vfork_child")], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  await target.waitForError(/vfork.*\n/);
  assertEquals(pathsBelow(target.job), []);
  await target.checkpoint();
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() says that there is not enough address space, and lets the program go on", async () => {
  await refused([built("tests/limits"), "memory"], /not enough address space/);
});

Deno.test("checkpoint() makes the directory that CKPT_DIR names", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/vdso")], { dir: dir.join("new") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  const mode = (path: string) => Deno.statSync(path).mode! & 0o777;
  assertEquals(mode(image), 0o700);
  for (const entry of Deno.readDirSync(image)) {
    if (entry.isFile) assertEquals(mode(`${image}/${entry.name}`), 0o600);
  }
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() refuses a CKPT_DIR whose parent is missing", async () => {
  await refused([built("tests/vdso")], /No such file or directory/, {
    CKPT_DIR: "/no/such/place",
  });
});

Deno.test("checkpoint() resolves CKPT_DIR when the program starts", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/process_settings"), dir.join("elsewhere")], {
    dir: "ckpt",
    cwd: dir.path,
  });
  await target.waitFor("READY\n");
  Deno.kill(target.pid, "SIGUSR2");
  await eventually("the image", () => imagesOf(dir.join("ckpt/job")).length === 1);
  await target.send("go\n");
  await target.succeed();
});

testUnless(
  userObstacle,
  "checkpoint() says that it may not write there",
  async () => {
    await using dir = await TempDir.make();
    await Deno.mkdir(dir.join("closed"), { mode: 0o755 });
    await using target = Target.launch([built("tests/vdso")], {
      dir: dir.join("closed"),
      as: "user",
    });
    await target.waitFor("READY\n");
    Deno.kill(target.pid, "SIGUSR2");
    await target.waitForError("Permission denied");
    assert(target.stderr.text.includes(dir.join("closed")), target.stderr.text);
    assertEquals([...Deno.readDirSync(dir.join("closed"))], []);
    await target.send("go\n");
    await target.succeed();
  },
);

testUnless(
  !isRoot && "only root can mount a small file system",
  "checkpoint() on a full disk keeps earlier images whole and the program running",
  async () => {
    await using dir = await TempDir.make();
    const disk = dir.join("disk");
    await Deno.mkdir(disk);
    assertEquals(
      (await run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=777", "none", disk])).code,
      0,
    );
    try {
      await using target = Target.launch([built("tests/big_memory"), "4"], { dir: disk });
      await target.waitFor("READY\n");
      const image = await target.checkpoint();
      const before = pathsBelow(disk);
      const [core] = pathsBelow(image).filter((path) => path.endsWith(".core"));
      const bytes = await Deno.readFile(core!);
      Deno.kill(target.pid, "SIGUSR2");
      await target.waitForError("No space left on device");
      assertEquals(pathsBelow(disk), before);
      assertEquals(await Deno.readFile(core!), bytes);
      await target.ping();
      await target.kill();
      await using again = Target.restart(image);
      await again.send("go\n");
      await again.succeed();
    } finally {
      assertEquals((await run(["umount", disk])).code, 0);
    }
  },
);

Deno.test("checkpoint() under a file size limit fails in words, not by SIGXFSZ", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch(
    ["prlimit", "--fsize=1000000", built("tests/big_memory"), "4"],
    { dir: dir.join("ckpt") },
  );
  await target.waitFor("READY\n");
  Deno.kill(target.pid, "SIGUSR2");
  await target.waitForError("File too large");
  assertEquals(pathsBelow(dir.join("ckpt/job")), []);
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() that is killed in the middle of writing leaves earlier images whole", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/big_memory"), "200"], { dir: dir.join("ckpt") });
  await target.waitFor("READY\n");
  const image = await target.checkpoint();
  Deno.kill(target.pid, "SIGUSR2");
  await eventually("writing has begun", () => {
    return pathsBelow(target.job).some((path) => {
      try {
        return !path.startsWith(image) && Deno.statSync(path).isFile &&
          Deno.statSync(path).blocks! > 100;
      } catch {
        return false;
      }
    });
  });
  await target.kill();
  assertEquals(imagesOf(target.job), [image]);
  // What one leaves that is killed in the moment in which it points `latest` at its image.
  await Deno.symlink("000001.ckpt", join(target.job, ".latest-1-1"));
  await using again = Target.restart(target.job);
  await again.ping();
  const next = await again.checkpoint();
  assertEquals(next, image.replace("000001", "000002"));
  await again.send("go\n");
  await again.succeed();
  assertEquals(
    [...Deno.readDirSync(target.job)].map((entry) => entry.name).sort(),
    ["000001.ckpt", "000002.ckpt", "latest"],
  );
});

Deno.test("libckpt.so prints nothing and changes nothing for a program that asks for nothing", async () => {
  await using dir = await TempDir.make();
  const env = { LD_PRELOAD: built("libckpt.so"), CKPT_DIR: dir.join("ckpt") };
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const script =
    "grep -E '^(SigBlk|SigPnd|Threads|Umask)' /proc/self/status; ls /proc/self/fd | wc -l; umask";
  for (const as of everyone) {
    const bare = await run([...asUser(as), "sh", "-c", script]);
    const under = await run([...asUser(as), "env", ...words, "sh", "-c", script]);
    assertEquals(under, bare);
  }
  assertEquals(pathsBelow(dir.path), []);
});

Deno.test("CKPT_SIGNAL chooses another signal", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/vdso")], {
    dir: dir.join("ckpt"),
    env: { CKPT_SIGNAL: "30" },
  });
  await target.waitFor("READY\n");
  Deno.kill(target.pid, "SIGPWR");
  await eventually("an image", () => imagesOf(target.job).length === 1);
  Deno.kill(target.pid, "SIGUSR2");
  assertEquals((await target.end()).signal, "SIGUSR2");
});

Deno.test("checkpoint() gives up on a process that waits in vfork for another member, and lets all go on", async () => {
  await refused(
    [built("tests/tree_vfork")],
    /process \d+ \("tree_vfork"\): it does not come to a stop in time/,
    { CKPT_TIMEOUT: "1" },
  );
});

testUnless(
  traceObstacle("self"),
  "checkpoint() names a process that another one of the program traces, and lets all go on",
  async () => {
    await refused(
      [built("tests/tree_traced")],
      /process \d+ \("tree_traced"\) is traced by another process of the program/,
    );
  },
);

const addresses = [
  ["AF_INET", "pack_sockaddr_in(0, INADDR_LOOPBACK)"],
  ["AF_UNIX", 'pack_sockaddr_un("\\0ckpt-$$")'],
];
for (const [domain, address] of addresses) {
  Deno.test(`checkpoint() waits until the program has accepted a connection of its own with data in it (${domain})`, async () => {
    await using dir = await TempDir.make();
    const program = `use Socket; $| = 1; $at = ${address};
    socket(L, ${domain}, SOCK_STREAM, 0) && bind(L, $at) && listen(L, 4) && socket(C, ${domain}, SOCK_STREAM, 0) or die;
    connect(C, getsockname(L)) && syswrite(C, "before") == 6 or die; print "READY\n"; sysread(STDIN, $word, 3);
    accept(A, L); sysread(STDIN, $word, 3); sysread(A, $word, 9) == 6 or die;
    print $word eq "before" ? "EXIT-SUCCESS\n" : "no: $word"`;
    await using first = Target.launch(["perl", "-e", program], { dir: dir.join("ckpt") });
    await first.waitFor("READY\n");
    await using job = await attach(first.pid);
    await assertRejects(() => job.checkpoint({ timeout: 1000 }), CheckpointError, "to be accepted");
    const switches = () => {
      const status = Deno.readTextFileSync(`/proc/${first.pid}/status`);
      return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)![1]);
    };
    // Each time that it is asked it wakes up.
    const before = switches();
    const image = job.checkpoint({ kill: true });
    await eventually("it has been asked", () => switches() > before);
    await first.send("go\n");
    const { path } = await image;
    await first.end();
    await using again = Target.restart(path);
    await again.send("go\n");
    await again.succeed();
  });
}
