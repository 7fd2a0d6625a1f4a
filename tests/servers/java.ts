/**
 * A Java server on NIO: one thread waits for all connections, others work, and one writes the log through a channel.
 *
 * @module
 */
import { type Connect, contents, expect } from "./ledger.ts";
import { checkLog } from "./log.ts";
import type { Server } from "../programs_servers.ts";
import { Wire } from "./wire.ts";

const connect: Connect = async (port, client) => {
  const wire = await Wire.to(port);
  let mayBeThere = 0;
  const ask = async (words: string) => {
    await wire.send(words + "\n");
    return await wire.line();
  };
  return {
    count: async (_, to) => {
      mayBeThere = to;
      return Number(await ask(`count ${client}`));
    },
    add: async (n) => {
      const answer = await ask(`add ${client} ${n} ${contents(client, n)}`);
      if (answer === "no" && n <= mayBeThere) return;
      expect(answer, `${n}`, `the answer to addition ${n} of ${client}`);
    },
    verify: async (count) => {
      expect(await ask(`all ${client}`), `${count}`, `the number of entries of ${client}`);
      for (let n = 1; n <= count; n++) {
        expect(await wire.line(), contents(client, n), `entry ${n} of ${client}`);
      }
    },
    close: () => wire.close(),
  };
};

export const java: Server = {
  name: "Java with an NIO server",
  command: "java -Xmx200m -cp ../input Server",
  needs: { javac: "default-jdk-headless" },
  prepare: "javac Server.java",
  inputs: {
    "Server.java": `import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;

public class Server {
  static final Map<String, List<String>> all = new ConcurrentHashMap<>();
  static final BlockingQueue<Runnable> toLog = new LinkedBlockingQueue<>();
  static FileChannel log;

  /** One connection: bytes that have come, until they are a line; one line at a time is worked on. */
  static class Client {
    final SocketChannel channel;
    final SelectionKey key;
    final ByteBuffer in = ByteBuffer.allocate(65536);

    Client(SocketChannel channel, SelectionKey key) {
      this.channel = channel;
      this.key = key;
    }

    String line() {
      for (int i = 0; i < in.position(); i++) {
        if (in.get(i) != '\\n') continue;
        byte[] bytes = new byte[i];
        in.flip();
        in.get(bytes).get();
        in.compact();
        return new String(bytes, StandardCharsets.US_ASCII);
      }
      return null;
    }

    void answer(String text) {
      ByteBuffer out = ByteBuffer.wrap((text + "\\n").getBytes(StandardCharsets.US_ASCII));
      try {
        while (out.hasRemaining()) if (channel.write(out) == 0) Thread.onSpinWait();
        key.interestOps(SelectionKey.OP_READ);
        key.selector().wakeup();
      } catch (java.io.IOException | CancelledKeyException gone) {
        close();
      }
    }

    void close() {
      key.cancel();
      try { channel.close(); } catch (java.io.IOException ignored) { }
    }

    void work(String line) {
      String[] words = line.split(" ", 4);
      List<String> entries = all.computeIfAbsent(words[1], name -> new ArrayList<>());
      synchronized (entries) {
        switch (words[0]) {
          case "count" -> answer("" + entries.size());
          case "all" -> answer(entries.size() + (entries.isEmpty() ? "" : "\\n" + String.join("\\n", entries)));
          case "add" -> {
            if (Integer.parseInt(words[2]) != entries.size() + 1) {
              answer("no");
              return;
            }
            entries.add(words[3]);
            toLog.add(() -> {
              try {
                log.write(ByteBuffer.wrap((words[1] + " " + words[2] + "\\n").getBytes(StandardCharsets.US_ASCII)));
              } catch (java.io.IOException broken) {
                Runtime.getRuntime().halt(3);
              }
              answer(words[2]);
            });
          }
        }
      }
    }
  }

  public static void main(String[] none) throws Exception {
    log = FileChannel.open(Path.of("log"), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    Thread writer = new Thread(() -> {
      try { for (;;) toLog.take().run(); } catch (InterruptedException end) { }
    });
    writer.setDaemon(true);
    writer.start();
    ExecutorService workers = Executors.newFixedThreadPool(4);
    Selector selector = Selector.open();
    ServerSocketChannel server = ServerSocketChannel.open();
    server.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("PORT"))));
    server.configureBlocking(false);
    server.register(selector, SelectionKey.OP_ACCEPT);
    for (;;) {
      selector.select();
      for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext();) {
        SelectionKey key = keys.next();
        keys.remove();
        if (!key.isValid()) continue;
        if (key.isAcceptable()) {
          SocketChannel channel = server.accept();
          if (channel == null) continue;
          channel.configureBlocking(false);
          SelectionKey own = channel.register(selector, SelectionKey.OP_READ);
          own.attach(new Client(channel, own));
          continue;
        }
        Client client = (Client) key.attachment();
        try {
          if (client.channel.read(client.in) < 0) {
            client.close();
            continue;
          }
        } catch (java.io.IOException reset) {
          client.close();
          continue;
        }
        String line = client.line();
        if (line == null) continue;
        key.interestOps(0);
        workers.execute(() -> client.work(line));
      }
    }
  }
}
`,
  },
  connect,
  endsBySignal: true,
  check: checkLog,
};
