import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { roundtrips } from "./roundtrip.ts";
import { built, eventually, isInstalled, isRoot, run, TempDir, testUnless } from "./support.ts";
import { asUser, everyone, imagesOf, Target } from "./target.ts";
import { descendants } from "./process.ts";

/** Why there is no IPv6, false when there is. */
const noSix = await Deno.readTextFile("/proc/net/if_inet6").then(
  (text) => !text.includes(" lo\n") && "this machine has no IPv6",
  () => "this machine has no IPv6",
);

roundtrips([
  {
    does: "leads duplicates of 0-2 to its own",
    program: "fd_stdio",
    go: "go\n!",
  },
  { does: "leads what 0-2 led to to its own, under whatever numbers", program: "fd_moved" },
  {
    does: "brings back files with offset, flags and sharing",
    program: "fd_files",
    args: (dir) => [dir.join("files")],
  },
  {
    does: "brings back thousands of descriptors, many of one file",
    program: "fd_many",
    args: (dir) => [dir.join("many")],
  },
  {
    does: "brings back a directory in the middle of being read",
    program: "fd_directory",
    args: (dir) => [dir.join("many")],
  },
  { does: "brings back devices", program: "fd_devices" },
  { does: "brings back pipes within the process", program: "fd_pipe" },
  { does: "brings back pipes of packets", program: "fd_packets" },
  {
    does: "brings back named pipes",
    program: "fd_fifo",
    args: (dir) => [dir.join("pipes")],
  },
  { does: "brings back open files of /proc and /sys", program: "fd_proc" },
  { does: "brings back the main thread's files of /proc", program: "fd_proc_thread" },
  { does: "brings back who is signalled about input", program: "fd_async" },
  {
    does: "brings back files with rare flags",
    program: "fd_flags",
    args: (dir) => [dir.join("flags")],
  },
  { does: "brings back event descriptors", program: "fd_eventfd" },
  { does: "brings back epoll sets", program: "fd_epoll" },
  {
    does:
      "brings back epoll sets that watch what has another number by now or is in flight, as they may be",
    program: "fd_epoll_numbers",
  },
  { does: "brings back pairs of sockets", program: "fd_socketpair" },
  { does: "brings back unix sockets with names", program: "fd_unix", endsForGood: true },
  { does: "brings back TCP connections within the program", program: "fd_tcp" },
  { does: "brings back descriptors in flight", program: "fd_in_flight", endsForGood: true },
  {
    does: "brings back sockets that listen and datagram sockets",
    program: "fd_inet",
  },
  { does: "brings back sockets of IPv6", program: "fd_six", obstacle: noSix },
  { does: "brings back options and filters of sockets", program: "fd_options" },
  { does: "brings back netlink sockets", program: "fd_netlink" },
  { does: "brings back memfds, O_PATH descriptors and its own pidfd", program: "fd_memfd" },
  {
    does: "brings back what inotify instances watch",
    program: "fd_inotify",
    args: (dir) => [dir.join("watched")],
    endsForGood: true,
  },
  {
    does: "brings back what inotify instances watch far away",
    program: "fd_inotify_far",
    args: (dir) => [dir.join("far")],
    endsForGood: true,
  },
  { does: "brings back timer descriptors", program: "fd_timerfd" },
  { does: "brings back signal descriptors", program: "fd_signalfd" },
  {
    does: "brings back files that were deleted, and directories",
    program: "fd_deleted",
    args: (dir) => [dir.join("no-name")],
  },
  {
    does: "brings back files without a name that may not be opened",
    program: "fd_unreadable",
    args: (dir) => [dir.join("file")],
  },
  {
    does: "brings back file locks and leases",
    program: "fd_locks",
    args: (dir) => [dir.join("locked")],
  },
]);

for (const as of everyone) {
  Deno.test(`restart() leaves closed what was closed, as ${as}`, async () => {
    await using dir = await TempDir.make();
    const report = dir.join("report");
    const told = (words: string) =>
      eventually(
        words,
        () => Deno.readTextFile(report).then((text) => text === words, () => false),
      );
    await using first = Target.launch([built("tests/fd_closed_stdio"), report], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
      as,
    });
    await told("READY\n");
    await first.waitUntilAsleep();
    const image = await first.checkpoint();
    await first.kill();
    await using again = Target.restart(image, { as });
    await again.waitUntilStarted();
    Deno.kill(again.pid, "SIGUSR1");
    const { code } = await again.end();
    assertEquals(await Deno.readTextFile(report), "EXIT-SUCCESS\n", again.stderr.text);
    assertEquals(code, 0);
  });

  testUnless(
    !await isInstalled("script") && "script is not installed",
    `restart() gives the program its terminal again, as ${as}`,
    async () => {
      await using dir = await TempDir.make();
      const onTerminal = (
        command: string,
      ) => [...asUser(as), "script", "-qec", command, "/dev/null"];
      const launch = onTerminal(
        `env LD_PRELOAD=${built("libckpt.so")} CKPT_DIR=${dir.join("ckpt")} CKPT_NAME=job ` +
          built("tests/fd_terminal"),
      );
      const start = (command: string[]) =>
        new Deno.Command(command[0]!, {
          args: command.slice(1),
          cwd: dir.path,
          stdin: "piped",
          stdout: "piped",
          stderr: "inherit",
        }).spawn();
      const first = start(launch);
      const program = await eventually("the program", () =>
        descendants(first.pid).find((pid) => {
          try {
            return Deno.readTextFileSync(`/proc/${pid}/comm`) === "fd_terminal\n" &&
              Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") S ");
          } catch {
            return false;
          }
        }));
      Deno.kill(program, "SIGUSR2");
      await eventually("an image", () => imagesOf(dir.join("ckpt/job")).length === 1);
      Deno.kill(program, "SIGKILL");
      await first.stdin.close();
      await first.output();
      const again = start(onTerminal(`${built("restart")} ${dir.join("ckpt/job")}`));
      const writer = again.stdin.getWriter();
      await writer.write(new TextEncoder().encode("go\n"));
      const { code, stdout } = await again.output();
      await writer.close().catch(() => {});
      const text = new TextDecoder().decode(stdout);
      assertStringIncludes(text, "through tty");
      assertStringIncludes(text, "EXIT-SUCCESS");
      assertEquals(code, 0);
    },
  );
}

Deno.test("restart() gives the program its own files as 0-2 when it had files", async () => {
  await using dir = await TempDir.make();
  const [input, output, until] = [dir.join("in"), dir.join("out"), dir.join("end")];
  await Deno.writeTextFile(input, "ping\nping\n");
  const count = `${built("tests/count_until")} ${until} <${input} >${output} 2>&1`;
  await using first = Target.launch(["sh", "-c", `exec ${count}`], { dir: dir.join("ckpt") });
  const written = () => Deno.readTextFile(output).catch(() => "");
  await eventually("a few numbers", async () => (await written()).includes("5\n"));
  const image = await first.checkpoint();
  await first.kill();
  const before = await written();
  await using again = Target.restart(image);
  await eventually("more numbers", async () => (await written()).length > before.length);
  await Deno.writeTextFile(until, "");
  assertEquals((await again.end()).code, 0, again.stderr.text);
  const lines = (await written()).split("\n");
  assertEquals(lines, [...lines.slice(0, -2).map((_, i) => `${i + 1}`), "done", ""]);
  assertEquals(again.stdout.text, "");
});

Deno.test("restart() says who holds a lock that the program had, and who has a file open that it had a lease on", async () => {
  await using dir = await TempDir.make();
  const path = dir.join("locked");
  await using first = Target.launch([built("tests/fd_locks"), path], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  for (const name of ["flock", "shared"]) {
    using file = await Deno.open(`${path}.${name}`);
    await file.lock(true);
    const { code, stderr } = await run([built("restart"), image]);
    assertEquals(code, 1);
    // In a namespace of its own nobody knows who.
    const holder = isRoot ? `process ${Deno.pid}` : "another process";
    assertStringIncludes(stderr, `lock on ${path}.${name} back: ${holder} holds one`);
  }
  {
    using _ = await Deno.open(`${path}.lease`);
    const { code, stderr } = await run([built("restart"), image]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `lease on ${path}.lease back: another process has it open`);
  }
  await using again = Target.restart(image);
  await again.send("go\n");
  await again.succeed();
});

for (const program of ["fd_socketpair", "fd_unix", "fd_in_flight", "fd_inet"]) {
  Deno.test(`restart() of ${program} has nothing to warn of`, async () => {
    await using dir = await TempDir.make();
    await using first = Target.launch([built(`tests/${program}`)], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
    });
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await first.kill();
    await using again = Target.restart(image);
    await again.send("go\n");
    await again.succeed();
    assertEquals(again.stderr.text, "");
  });
}

for (const kind of ["unix", "tcp"] as const) {
  Deno.test(`restart() breaks ${kind} connections to other processes, which checkpoint() leaves alone`, async () => {
    await using dir = await TempDir.make();
    const path = dir.join("server.socket");
    using server = kind === "unix"
      ? Deno.listen({ transport: "unix", path })
      : Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const place = server.addr.transport === "tcp" ? `${server.addr.port}` : path;
    await using first = Target.launch([built("tests/fd_outside"), place], {
      dir: dir.join("ckpt"),
    });
    using connection = await server.accept();
    await connection.write(new TextEncoder().encode("hello"));
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    await first.send("go\n");
    assertEquals(await connection.read(new Uint8Array(8)), 3);
    await connection.closeWrite();
    await first.succeed();
    if (kind === "tcp") {
      const { code, stderr } = await run([built("restart"), "--tcp=refuse", image]);
      assertEquals(code, 1);
      assertStringIncludes(
        stderr,
        `TCP connection to 127.0.0.1:${place}, which does not come back so`,
      );
    }
    await using again = Target.restart(image);
    await again.waitForError(/was a (connection to another process|TCP connection): the program/);
    await again.send("go\n");
    await again.succeed();
  });
}

Deno.test("restart() opens a named pipe again whose other side is another process", async () => {
  await using dir = await TempDir.make();
  const [path, words] = [dir.join("pipe"), new TextEncoder()];
  assertEquals((await run(["mkfifo", path])).code, 0);
  await using first = Target.launch(["cat", path], { dir: dir.join("ckpt") });
  using writer = await Deno.open(path, { read: true, write: true }); // never without a reader
  await writer.write(words.encode("one\n"));
  await first.waitFor("one\n");
  const image = await first.checkpoint();
  await first.kill();
  await using again = Target.restart(image);
  await again.waitUntilStarted();
  await writer.write(words.encode("two\n"));
  await again.waitFor("two\n");
  writer.close();
  assertEquals((await again.end()).code, 0, again.stderr.text);
});

Deno.test("restart() connects a program from a pipeline to its own pipeline", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/vdso")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  const { code, stdout } = await run(["sh", "-c", `echo go | ${built("restart")} ${image} | cat`]);
  assertEquals(code, 0);
  assertEquals(stdout, "EXIT-SUCCESS\n");
  assert(imagesOf(first.job).length === 1);
});

Deno.test("restart() works when the soft limit leaves it no descriptor to open", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/vdso")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  await first.checkpoint();
  await first.kill();
  const script = `echo go | (ulimit -Sn 3; exec ${built("restart")} ${first.job})`;
  const { code, stdout, stderr } = await run(["sh", "-c", script]);
  assertEquals({ code, stdout, stderr }, { code: 0, stdout: "EXIT-SUCCESS\n", stderr: "" });
});
