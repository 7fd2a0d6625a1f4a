import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { CheckpointError, launch } from "../mod.ts";
import { descendants, isGone, stateOf } from "./process.ts";
import { roundtrips } from "./roundtrip.ts";
import { makeStatic, makeStaticHandler } from "./static.ts";
import { built, eventually, isRoot, run, TempDir, testUnless } from "./support.ts";
import { everyone, imagesOf, Target, userObstacle } from "./target.ts";

roundtrips([
  {
    does: "brings back a family: ids, parents, groups, sessions, children that have ended",
    program: "tree_family",
  },
  {
    does: "brings back what each process has set for itself",
    program: "tree_settings",
  },
  {
    does: "brings back what two processes share, and what each has for itself",
    program: "tree_shared",
    fcntl: true,
    endsForGood: true,
  },
  {
    does: "brings back once what waits in a pipe that many processes can read",
    program: "tree_pipe",
    fcntl: true,
  },
  {
    does:
      "brings back a deleted file that one process has open and another only maps, with its length",
    program: "tree_deleted",
    endsForGood: true,
  },
  {
    does: "brings back working directories that have been removed, one for those who shared one",
    program: "tree_removed",
    args: (dir) => [dir.join("place")],
    endsForGood: true,
  },
  {
    does:
      "brings back sockets that are a process's standard input and output, and lead to its parent",
    program: "tree_started_with",
  },
  {
    does: "brings back pidfds of other processes of the program, and of children that have ended",
    program: "tree_pidfd",
  },
  {
    does: "brings back locks that one process holds and another waits for",
    program: "tree_locks",
    endsForGood: true,
  },
  {
    does: "brings back stopped processes as stopped ones, and tells no parent twice",
    program: "tree_stopped",
  },
  {
    does:
      "brings back that a child goes on after a stop and its parent has yet to hear of it, with no signal more",
    program: "tree_continued",
  },
  {
    does: "brings back a SIGCHLD that waits, blocked and without a handler",
    program: "tree_signals",
    args: () => ["ended"],
  },
  {
    does: "adds no SIGCHLD where it is blocked and has no handler",
    program: "tree_signals",
  },
  {
    does: "brings back processes whose main threads have ended, with what they have in common",
    program: "tree_main_ended",
    args: () => ["/etc/passwd"],
  },
  {
    does: "brings back TCP connections between processes, with what waits in them",
    program: "tree_tcp",
    fcntl: true,
  },
  {
    does: "brings back entries of processes in /proc, also of one that has ended",
    program: "tree_proc",
  },
  {
    does:
      "brings back connections of unix sockets between processes, also those that wait to be accepted",
    program: "tree_unix",
    fcntl: true,
    endsForGood: true,
  },
  {
    does: "brings back descriptors in flight between processes, shared with who has them open",
    program: "tree_in_flight",
    fcntl: true,
    endsForGood: true,
  },
  {
    does: "brings back epoll sets that watch what another process has, also such as are in flight",
    program: "tree_epoll_in_flight",
  },
  {
    does: "brings back pidfds and entries in /proc once for those who share them, also in flight",
    program: "tree_common",
    fcntl: true,
  },
]);

/**
 * Has a job that it has stopped by SIGTSTP, as ^Z does, and takes it to the foreground after "go". The job starts nothing:
 * a shell whose child is stopped between vfork and exec does not stop itself.
 */
const JOBS = `set -m
sh -c 'while [ ! -e done ]; do echo turn >> turns; done; exit 7' &
until [ -s turns ]; do sleep 0.01; done
kill -TSTP %1
until jobs > list && grep -q -E 'Stopped|Suspended' list; do sleep 0.01; done
echo READY
read -r go
jobs > list
grep -q -E 'Stopped|Suspended' list || echo "job: $(cat list)"
touch done
fg %1 > list
[ $? = 7 ] && echo EXIT-SUCCESS`;

for (const as of everyone) {
  Deno.test(`restart() of bash as ${as} brings back its stopped job, for fg`, async () => {
    await using dir = await TempDir.make();
    const options = { dir: dir.join("ckpt"), cwd: dir.path, as };
    await using first = Target.launch(["bash", "-c", JOBS], options);
    await first.waitFor("READY\n");
    let image = await first.checkpoint();
    await first.kill();
    const turns = await Deno.readTextFile(dir.join("turns"));
    await using second = Target.restart(image, { as });
    await second.waitUntilStarted();
    await second.waitUntilAsleep();
    image = await second.checkpoint();
    await second.kill();
    await using last = Target.restart(image, { as });
    assertEquals(await Deno.readTextFile(dir.join("turns")), turns);
    await last.send("go\n");
    await last.succeed();
  });
}

Deno.test("checkpoint() without kcmp names a file that may be shared and that the program has locked", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/tree_locks")], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
    env: { CKPT_FORCE: "fcntl" },
  });
  await target.waitFor("READY\n");
  Deno.kill(target.pid, "SIGUSR2");
  await target.waitForError(
    /whether descriptor \d+ of process \d+ and descriptor \d+ of process \d+ \(\/.*\) are shared \(kcmp/,
  );
  assertEquals(imagesOf(target.job), []);
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() that fails keeps locks on files that are in flight", async () => {
  await using dir = await TempDir.make();
  await using target = Target.launch([built("tests/tree_in_flight"), "refused"], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await target.waitFor("READY\n");
  Deno.kill(target.pid, "SIGUSR2");
  await target.waitForError(/opened with O_PATH, and has no name any more/);
  assertEquals(imagesOf(target.job), []);
  await target.send("go\n");
  await target.succeed();
});

Deno.test("checkpoint() of a program alone that was started with sockets lets it go on", async () => {
  await using dir = await TempDir.make();
  const start = `use Socket; $^F = 99; socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or die;
    exec "sh", "-c", "echo READY; read -r line; echo EXIT-SUCCESS"`;
  await using target = Target.launch(["perl", "-e", start], {
    dir: dir.join("ckpt"),
    cwd: dir.path,
  });
  await target.waitFor("READY\n");
  await target.checkpoint();
  await target.send("go\n");
  await target.succeed();
});

/** Children in another world than the rest. */
for (
  const [command, name, words] of [
    ["perl -e 'chroot \".\" or die; sleep 60'", "perl", /has another root directory/],
    ["unshare --net sleep 60", "sleep", /is in another network namespace/],
    ["unshare --mount sleep 60", "sleep", /is in another mount namespace/],
  ] as const
) {
  testUnless(
    !isRoot && "only root may do that",
    `checkpoint() of a program with ${command.split(" -e")[0]} among its descendants says so`,
    async () => {
      await using dir = await TempDir.make();
      await using job = await launch(["sh", "-c", `${command} & wait`], {
        dir: dir.join("ckpt"),
        cwd: dir.path,
      });
      await eventually(
        "it is elsewhere",
        () => descendants(job.pid).some((pid) => commandOf(pid) === name && stateOf(pid) === "S"),
      );
      const error = await assertRejects(() => job.checkpoint(), CheckpointError);
      assertMatch(error.message, words);
      assertEquals(imagesOf(job.dir), []);
      await job.kill();
    },
  );
}

function commandOf(pid: number): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/comm`).trim();
  } catch {
    return undefined; // it has ended
  }
}

/** Children that libckpt does not get into, and what is said of them. */
const without: [what: string, make: (dir: TempDir) => Promise<string>, words: RegExp][] = [
  ["a static program", makeStatic, /process \d+ \("alone"\) is statically linked/],
  [
    "a static program that handles the control signal",
    makeStaticHandler,
    /process \d+ \("alone"\) is statically linked/,
  ],
  [
    "a program without its environment",
    () => Promise.resolve("env -i sleep 60"),
    /process \d+ \("sleep"\) does not run under libckpt: LD_PRELOAD was taken from it/,
  ],
];

for (const [what, make, words] of without) {
  Deno.test(`checkpoint() names ${what} among the descendants, and writes nothing`, async () => {
    await using dir = await TempDir.make();
    const command = await make(dir);
    const script = `${command} & echo READY; wait`;
    await using job = await launch(["sh", "-c", script], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
      stdout: "null",
    });
    const child = command.split(/[ /]/).find((word) => /alone|sleep/.test(word))!;
    await eventually("it runs", () => descendants(job.pid).some((pid) => commandOf(pid) === child));
    const error = await assertRejects(() => job.checkpoint(), CheckpointError);
    assertMatch(error.message, words);
    assertEquals(imagesOf(job.dir), []);
    await job.kill();
  });
}

testUnless(
  userObstacle,
  "checkpoint() names a set-uid program among the descendants, and writes nothing",
  async () => {
    await using dir = await TempDir.make();
    await Deno.copyFile("/bin/sleep", dir.join("risen"));
    await Deno.chmod(dir.join("risen"), 0o4755);
    await using target = Target.launch(["sh", "-c", "./risen 60 & echo READY; wait"], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
      as: "user",
    });
    const risen = () => descendants(target.pid).find((pid) => commandOf(pid) === "risen");
    await eventually("it runs", () => risen() !== undefined);
    Deno.kill(target.pid, "SIGUSR2");
    await target.waitForError(/process \d+ \("risen"\) runs with the rights of another user/);
    assertEquals(imagesOf(target.job), []);
  },
);

testUnless(
  isRoot ? false : "only root may begin a program with another real user",
  "checkpoint() names a program that has had the rights of another user when it began",
  async () => {
    await using dir = await TempDir.make();
    // Its real user is the effective one again by the time when it has its name.
    const rise = "setpriv --ruid=1000 /usr/bin/perl -e '$< = $>; $0 = \"risen\"; sleep 60'";
    await using job = await launch(["sh", "-c", `${rise} & wait`], {
      dir: dir.join("ckpt"),
      cwd: dir.path,
    });
    await eventually(
      "it runs",
      () => descendants(job.pid).some((pid) => commandOf(pid) === "risen"),
    );
    const error = await assertRejects(() => job.checkpoint(), CheckpointError);
    assertMatch(error.message, /process \d+ \("risen"\) runs with the rights of another user/);
    assertEquals(imagesOf(job.dir), []);
    await job.kill();
  },
);

Deno.test("Job.kill() ends a program with all of its descendants", async () => {
  await using dir = await TempDir.make();
  const script = "(sleep 60 & echo $! > inner; wait) & echo $! > outer; wait";
  await using job = await launch(["sh", "-c", script], { dir: dir.join("ckpt"), cwd: dir.path });
  const read = (name: string) => Deno.readTextFile(dir.join(name)).then(Number, () => 0);
  await eventually("all run", async () => await read("outer") > 0 && await read("inner") > 0);
  await job.kill();
  for (const name of ["outer", "inner"]) {
    const pid = await read(name);
    await eventually(`${name} is gone`, () => isGone(pid));
  }
  assertEquals((await job.status).signal, "SIGKILL");
});

Deno.test("restart() with other ids refuses a pidfd of another process, and says whose", async () => {
  await using dir = await TempDir.make();
  await using first = Target.launch([built("tests/tree_pidfd")], { dir: dir.join("ckpt") });
  await first.waitFor("READY\n");
  const image = await first.checkpoint();
  await first.kill();
  const { code, stderr } = await run([built("restart"), "--pid=new", image]);
  assertEquals(code, 1);
  assertMatch(stderr, /process \d+ has a pidfd of process \d+, which would have another id/);
});
