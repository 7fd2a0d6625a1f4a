import { assertEquals } from "@std/assert";
import jsr from "../deno.jsr.json" with { type: "json" };
import config from "../deno.json" with { type: "json" };

Deno.test("deno.jsr.json publishes the same package, with the same names from elsewhere", () => {
  const essence = ({ name, version, license, exports, publish, imports }: typeof jsr) => ({
    name,
    version,
    license,
    exports,
    publish,
    names: Object.keys(imports),
  });
  assertEquals(essence(jsr), essence(config));
});

Deno.test("deno.json has tasks that the Makefile knows", async () => {
  const makefile = await Deno.readTextFile(new URL("../Makefile", import.meta.url));
  for (const { command } of Object.values(config.tasks)) {
    const target = command.match(/^make(?: ([a-z-]+))?$/)?.[1] ?? "all";
    assertEquals(new RegExp(`^${target}:`, "m").test(makefile), true, command);
  }
});

Deno.test("deno.json pins every package exactly", () => {
  for (const specifier of Object.values(config.imports)) {
    assertEquals(/^npm:[a-z-]+@\d+\.\d+\.\d+(\/|$)/.test(specifier), true, specifier);
  }
});
