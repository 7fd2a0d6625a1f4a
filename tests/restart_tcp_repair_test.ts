import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Image } from "../mod.ts";
import { NoteType, TCP } from "../src/format.ts";
import { CoreEditor } from "./edit_core.ts";
import { connect, Machine, networkObstacle } from "./network.ts";
import { built, eventually, isInstalled, run, TempDir, testUnless } from "./support.ts";
import { coreOf, imagesOf, Target, userObstacle } from "./target.ts";
import { expectAll, expectEnd, fillBothWays, Pair, repair, tell } from "./tcp_pair.ts";

for (const six of [false, true]) {
  const family = six ? "IPv6" : "IPv4";
  testUnless(
    networkObstacle,
    `restart() with tcp: "repair" brings a connection back, over ${family}`,
    async () => {
      await using pair = await Pair.make({ six });
      const { peer, here } = pair;
      const queues = await fillBothWays(pair);
      await pair.leave();
      // What comes meanwhile is not answered.
      const before = await here.segments();
      await tell(peer, "write 50000");
      await eventually("packets for nobody", async () => await here.segments() > before + 2);
      pair.comeBack();
      await expectAll(pair, { ...queues, toRead: queues.toRead + 50000 });
      await expectEnd(pair);
      const rules = await here.ip(six ? "-6 rule" : "rule");
      assert(!rules.includes("blackhole"), rules);
    },
  );
}

testUnless(
  networkObstacle,
  `restart() with tcp: "repair" brings a connection to another machine`,
  async () => {
    await using pair = await Pair.make();
    await using other = await Machine.make();
    const queues = await fillBothWays(pair);
    const port = await tell(pair.program, "port");
    await pair.leave();
    await pair.here.ip(`link set cable netns ${other.pid}`);
    await tell(pair.peer, "fill 50000");
    pair.comeBack(other);
    const status = await pair.program.end();
    assertEquals(status.code, 1);
    assertStringIncludes(pair.program.stderr.text, "this machine does not have its address");
    const ports = `ipproto tcp sport ${port} dport 7000`;
    await other.ip(`rule add from 10.9.0.1 to 10.9.0.2 ${ports} fwmark 0/0xffffffff blackhole`);
    await other.address(1);
    await eventually("packets for nobody", async () => await other.segments() > 0);
    pair.comeBack(other);
    await expectAll(pair, { ...queues, toRead: queues.toRead + 50000 });
    await expectEnd(pair);
  },
);

testUnless(networkObstacle, `checkpoint() with tcp: "repair" lets a connection go on`, async () => {
  await using pair = await Pair.make({ env: { CKPT_TCP: "repair" } });
  const { program, peer } = pair;
  const queues = await fillBothWays(pair);
  const image = await program.checkpoint();
  await tell(peer, "write 50000");
  await expectAll(pair, { ...queues, toRead: queues.toRead + 50000 });
  await using second = Target.restart(image, {
    options: ["--pid=new", ...repair],
    within: pair.here.within,
  });
  assertEquals((await second.end()).code, 1);
  assertStringIncludes(second.stderr.text, "there is one between these addresses already");
  await expectEnd(pair);
});

testUnless(
  networkObstacle,
  `restart() with tcp: "repair" lets go of a connection whose descriptor leads to a file now`,
  async () => {
    await using pair = await Pair.make({ env: { BESIDE: "1" } });
    const inode =
      (await pair.here.run("cat", "/proc/net/tcp")).match(/ (\d+) \d+ \S+ \d+ \d+ .*\n$/)![1];
    const fds = `/proc/${pair.program.programPid}/fd`;
    const connections = [...Deno.readDirSync(fds)].map(({ name }) => name)
      .filter((name) => Deno.readLinkSync(`${fds}/${name}`) === `socket:[${inode}]`);
    assertEquals(connections.length, 2);
    await pair.leave();
    pair.comeBack(pair.here, [...repair, ...connections.map((fd) => `--fd=${fd}=/dev/null`)]);
    await pair.peer.send("write 1000\nread 1\n");
    await pair.peer.end();
    assertStringIncludes(pair.peer.stderr.text, "Connection reset by peer");
    assert(!(await pair.here.ip("rule")).includes("blackhole"));
    await pair.program.send("go\n");
    await pair.program.succeed();
  },
);

testUnless(networkObstacle, `restart() with tcp: "repair" does so again and again`, async () => {
  await using pair = await Pair.make();
  let queues = await fillBothWays(pair);
  for (let round = 0; round < 3; round++) {
    await pair.leave();
    pair.comeBack();
    await tell(pair.program, "options");
    await tell(pair.peer, "write 70000");
    queues = { ...queues, toRead: queues.toRead + 70000 };
  }
  await expectAll(pair, queues);
  await tell(pair.program, "close");
  await tell(pair.peer, "eof");
});

/** Three times while one side writes and the other reads. */
async function repairWhileBusy({ writer, pour }: { writer: "program" | "peer"; pour: string }) {
  await using pair = await Pair.make();
  const reader = writer === "peer" ? "program" : "peer";
  await pair[reader].send("drain\n");
  await pair[writer].send(`${pour}\n`);
  for (let round = 0; round < 3; round++) {
    const before = await pair.here.segments();
    await eventually("a busy connection", async () => await pair.here.segments() > before + 100);
    await pair.leave();
    pair.comeBack();
    await pair.program.waitUntilStarted();
  }
  await pair[writer].send("enough\n");
  await pair[writer].waitFor("pour ");
  await tell(pair[writer], "end");
  await pair[reader].waitFor("drain ");
  const [poured] = /(?<=pour )\d+/.exec(pair[writer].stdout.text)!;
  await pair[reader].waitFor(`drain ${poured}\n`);
  await tell(pair.program, "options");
  await tell(pair[reader], "end");
  await tell(pair[writer], "eof");
}

for (
  const [does, orders] of Object.entries(
    {
      "much is written": { writer: "program", pour: "pour" },
      "much arrives": { writer: "peer", pour: "pour" },
      "something arrives all the time": { writer: "peer", pour: "pour 100" },
    } as const,
  )
) {
  testUnless(
    networkObstacle,
    `restart() with tcp: "repair" brings a connection back while ${does}`,
    () => repairWhileBusy(orders),
  );
}

for (const first of ["peer", "program"] as const) {
  testUnless(
    networkObstacle,
    `restart() with tcp: "repair" brings back a connection that the ${first} has shut`,
    async () => {
      await using pair = await Pair.make();
      const { peer } = pair;
      const { toRead, written } = await fillBothWays(pair);
      await tell(pair[first], "end");
      await pair.leave();
      if (first === "program") await tell(peer, "write 60000");
      pair.comeBack();
      await tell(pair.program, `read ${toRead + (first === "program" ? 60000 : 0)}`);
      if (first === "peer") {
        await tell(pair.program, "eof");
        await tell(pair.program, "options");
        await Promise.all([
          tell(pair.program, "write 2000000"),
          tell(peer, `read ${written + 2000000}`),
        ]);
        await tell(pair.program, "end");
        await tell(peer, "eof");
      } else {
        await tell(peer, `read ${written}`);
        await tell(peer, "eof");
        await Promise.all([tell(peer, "write 2000000"), tell(pair.program, "read 2000000")]);
        await tell(peer, "end");
        await tell(pair.program, "eof");
      }
    },
  );
}

testUnless(
  networkObstacle,
  `restart() with tcp: "repair" brings back what has arrived without an answer`,
  async () => {
    await using pair = await Pair.make();
    const { program, peer, there } = pair;
    await Promise.all([tell(program, "write 5000000"), tell(peer, "read 5000000")]);
    // The other side hears, and is not heard.
    await there.ip("rule add to 10.9.0.1 blackhole");
    await tell(program, "write 100000");
    await tell(program, "end");
    await tell(peer, "read 100000");
    await tell(peer, "eof");
    assertEquals(await tell(program, "unacknowledged"), 100001);
    await pair.leave();
    await there.ip("rule del to 10.9.0.1 blackhole");
    pair.comeBack();
    await Promise.all([tell(peer, "write 2000000"), tell(pair.program, "read 2000000")]);
    await tell(peer, "end");
    await tell(pair.program, "eof");
    await eventually("an answer", async () => await tell(pair.program, "unacknowledged") === 0);
  },
);

testUnless(
  networkObstacle,
  `restart() with tcp: "repair" brings back an end that has arrived`,
  async () => {
    await using pair = await Pair.make();
    await tell(pair.program, "end");
    await tell(pair.peer, "eof");
    await pair.leave();
    pair.comeBack();
    await Promise.all([tell(pair.peer, "write 2000000"), tell(pair.program, "read 2000000")]);
    await tell(pair.peer, "end");
    await tell(pair.program, "eof");
  },
);

testUnless(
  networkObstacle,
  `restart() with tcp: "repair" lets processes and duplicates share a connection again`,
  async () => {
    await using pair = await Pair.make();
    await tell(pair.program, "fork");
    const { toRead, written } = await fillBothWays(pair);
    await pair.leave();
    pair.comeBack();
    await tell(pair.program, "child 100000");
    await tell(pair.program, "duplicate 100000");
    await expectAll(pair, { toRead: toRead - 200000, written });
  },
);

testUnless(
  networkObstacle,
  `restart() with tcp: "repair" finds out that the other side is gone`,
  async () => {
    await using pair = await Pair.make();
    const { toRead } = await fillBothWays(pair);
    await pair.leave();
    await pair.peer.kill();
    pair.comeBack();
    await tell(pair.program, `read ${toRead}`);
    await tell(pair.program, "reset");
  },
);

testUnless(
  networkObstacle,
  `restart() without tcp: "repair" finds a connection that was saved with it reset`,
  async () => {
    await using pair = await Pair.make();
    await tell(pair.peer, "write 1000");
    await tell(pair.program, "await 1000");
    await pair.leave();
    pair.comeBack(pair.here, []);
    await tell(pair.program, "read 1000");
    await tell(pair.program, "reset");
    // And so does the other side.
    await tell(pair.peer, "fill 1");
    await tell(pair.peer, "reset");
  },
);

testUnless(
  networkObstacle || userObstacle,
  `checkpoint() with tcp: "repair" says which right it needs`,
  async () => {
    await using pair = await Pair.make({ as: "user" });
    const queues = await fillBothWays(pair);
    const { code, stderr } = await pair.save("--kill");
    assertEquals(code, 1);
    assertStringIncludes(stderr, "--tcp=repair needs CAP_NET_ADMIN");
    assertEquals(imagesOf(pair.job), []);
    await expectAll(pair, queues);
  },
);

testUnless(networkObstacle, `restart() with tcp: "repair" says what it needs`, async () => {
  await using pair = await Pair.make();
  const queues = await fillBothWays(pair);
  const before = await pair.program.checkpoint();
  await pair.leave();
  const without = ["setpriv", "--bounding-set=-net_admin"];
  const refused = async (image: string, ...words: string[]) => {
    const { code, stderr } = await run([
      ...pair.here.within,
      ...words,
      built("restart"),
      ...repair,
      image,
    ]);
    assertEquals(code, 1);
    return stderr;
  };
  assertStringIncludes(await refused(pair.job, ...without), "it needs CAP_NET_ADMIN");
  assertStringIncludes(
    await refused(before),
    "which the image does not hold: save with --tcp=repair",
  );
  // Nothing of this was heard at the other side.
  pair.comeBack();
  await expectAll(pair, queues);
});

testUnless(
  networkObstacle || userObstacle,
  `restart() with tcp: "repair" works in a user's own network namespace`,
  async () => {
    await using pair = await Pair.make({ machine: "user" });
    const queues = await fillBothWays(pair);
    await pair.leave();
    await tell(pair.peer, "write 50000");
    pair.comeBack();
    await expectAll(pair, { ...queues, toRead: queues.toRead + 50000 });
    await expectEnd(pair);
  },
);

testUnless(
  networkObstacle,
  `restart() with tcp: "repair" brings a connection to the same machine back when that is silent`,
  async () => {
    await using pair = await Pair.make({ local: true });
    await tell(pair.program, "write 1000");
    await tell(pair.peer, "await 1000");
    await pair.leave();
    pair.comeBack();
    await expectAll(pair, { toRead: 0, written: 1000 });
    await pair.leave();
    await tell(pair.peer, "write 1");
    await tell(pair.peer, "reset");
  },
);

testUnless(networkObstacle, "restart() refuses connections that make no sense", async () => {
  await using pair = await Pair.make();
  await fillBothWays(pair);
  await pair.leave();
  const wrong: Record<string, number> = {
    inode: 1,
    data: 1 << 30,
    data_size: 1 << 30,
    unsent: 1 << 30,
    options: 8,
    send_scale: 15,
    receive_scale: 15,
    segment: 65536,
    send_window: 1 << 30,
  };
  const core = coreOf(pair.job);
  const bytes = await Deno.readFile(core);
  for (const [field, value] of Object.entries(wrong)) {
    const editor = await CoreEditor.open(core);
    editor.addToFirst(NoteType.TCP, TCP, field, value);
    await editor.save();
    const { code, stderr } = await run([built("restart"), ...repair, imagesOf(pair.job)[0]!]);
    assertEquals(code, 1, field);
    assertStringIncludes(stderr, "damaged: TCP connection 0 makes no sense", field);
    await Deno.writeFile(core, bytes);
  }
});

testUnless(networkObstacle, "image.processes tells which connections are held", async () => {
  await using pair = await Pair.make();
  const { toRead } = await fillBothWays(pair);
  await pair.leave();
  const image = await Image.open(imagesOf(pair.job)[0]!);
  const [descriptor] = image.processes[0]!.descriptors.filter(({ protocol }) => protocol === "TCP");
  assertEquals(descriptor!.waiting, toRead);
  assert(descriptor!.unacknowledged! > 0);
  assertStringIncludes(
    descriptor!.words,
    `comes back with --tcp=repair, 299000 bytes waiting, ${descriptor!.unacknowledged} bytes on`,
  );
});

testUnless(
  networkObstacle || (!await isInstalled("redis-benchmark") && "redis-benchmark is not installed"),
  `restart() with tcp: "repair" lets the clients of a server notice nothing`,
  async () => {
    await using dir = await TempDir.make();
    await using here = await Machine.make();
    await using there = await Machine.make();
    await connect(here, there);
    const at = ["-h", "10.9.0.1"];
    const count = async () =>
      Number(
        (await run([...here.within, "redis-cli", ...at, "get", "counter:__rand_int__"])).stdout,
      );
    const options = [
      "--bind",
      "10.9.0.1",
      "--protected-mode",
      "no",
      "--save",
      "",
      "--dir",
      dir.path,
    ];
    await using servers = new AsyncDisposableStack();
    let server = Target.launch(["redis-server", ...options], {
      dir: dir.join("ckpt"),
      within: here.within,
    });
    await server.waitFor("Ready to accept connections");
    servers.use(server);
    const clients = run([
      ...there.within,
      ...["redis-benchmark", ...at, "-c", "50", "-n", "400000", "-t", "incr", "-q"],
    ]);
    for (let round = 0; round < 3; round++) {
      const before = await eventually("an answer", async () => await count() || false);
      await eventually("clients at work", async () => await count() > before + 1000);
      const words = [built("ckpt"), "save", "--kill", ...repair, `${server.programPid}`];
      const { code, stderr } = await run([...here.within, ...words]);
      assertEquals(code, 0, stderr);
      await server.end();
      server = Target.restart(dir.join("ckpt/job"), { options: repair, within: here.within });
      servers.use(server);
    }
    const { code, stderr } = await clients;
    assertEquals({ code, stderr, count: await count() }, { code: 0, stderr: "", count: 400000 });
  },
);
