import { assertEquals } from "@std/assert";
import { attach } from "../mod.ts";
import { roundtrips } from "./roundtrip.ts";
import { built, TempDir } from "./support.ts";
import { everyone, Target, type Who } from "./target.ts";

roundtrips([
  {
    does: "gives sockets the ports that connections of the program keep which have ended",
    program: "fd_ports",
  },
]);

const hello = new TextEncoder().encode("hello");

/** A server that does not set SO_REUSEADDR, and a client that stays connected when the server goes. */
async function serve(dir: TempDir, as: Who): Promise<[Target, Deno.TcpConn]> {
  const target = Target.launch([built("tests/fd_served")], { dir: dir.join("ckpt"), as });
  await target.waitFor(".\n");
  const port = Number(/port (\d+)/.exec(target.stdout.text)![1]);
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  await client.write(hello);
  await target.waitFor("READY\n");
  return [target, client];
}

async function expectService(target: Target, port: number): Promise<void> {
  await target.send("go\n");
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  const got = new Uint8Array(8);
  await client.write(hello);
  assertEquals(got.slice(0, await client.read(got) ?? 0), hello);
  await target.succeed();
}

for (const as of everyone) {
  Deno.test(`restart() as ${as} waits for a program that has been killed and is not gone yet`, async () => {
    await using dir = await TempDir.make();
    // Its memory takes time to be given back, and its name is taken until then.
    const program = `use Socket; $| = 1; my $much = "x" x 200_000_000;
      socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, pack_sockaddr_un("\\0ckpt-test-$$")) or die;
      listen(S, 4) or die; print "READY\n"; <STDIN>; print "EXIT-SUCCESS\n"`;
    await using first = Target.launch(["perl", "-e", program], { dir: dir.join("ckpt"), as });
    await first.waitFor("READY\n");
    const image = await first.checkpoint();
    Deno.kill(first.pid, "SIGKILL");
    await using again = Target.restart(image, { as });
    await again.send("go\n");
    await again.succeed();
  });

  Deno.test(`restart() as ${as} after checkpoint() with kill has the port at once, while a client still holds its end`, async () => {
    await using dir = await TempDir.make();
    const [first, client] = await serve(dir, as);
    await using _ = first;
    using _client = client;
    await using job = await attach(first.pid);
    const image = await job.checkpoint({ kill: true });
    await first.end();
    await using again = Target.restart(image.path, { as });
    await again.ping();
    await expectService(again, client.remoteAddr.port);
    assertEquals(/waits/.test(again.stderr.text), false, again.stderr.text);
  });

  Deno.test(`restart() as ${as} waits for a client of the killed program that still holds its end`, async () => {
    await using dir = await TempDir.make();
    const [first, client] = await serve(dir, as);
    await using _ = first;
    const image = await first.checkpoint();
    await first.kill();
    await using again = Target.restart(image, { as });
    await again.waitForError(
      /waits, for about a minute at most, until the kernel gives up what is left/,
    );
    client.close();
    await again.ping();
    await expectService(again, client.remoteAddr.port);
  });
}
