import { assertEquals } from "@std/assert";
import { readProc } from "../src/proc.ts";

Deno.test("readProc() gives nothing of a process that ends meanwhile", async () => {
  for (let i = 0; i < 50; i++) {
    const child = new Deno.Command("true").spawn();
    // Until it is gone: now and then between open and read.
    while (await readProc(child.pid, "stat") !== undefined);
    assertEquals((await child.status).code, 0);
  }
});
