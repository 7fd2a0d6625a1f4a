import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import * as format from "../src/format.ts";
import { Library } from "../src/library.ts";
import { Struct } from "../src/struct.ts";
import { root } from "./support.ts";

const structs = Object.values(format).filter((value) => value instanceof Struct);

/** Every constant of the C headers, by name. */
async function constants(): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const name of ["image.h", "control.h"]) {
    const text = await Deno.readTextFile(join(root, "native/format", name));
    const pattern = /CKPT_(\w+)\s*=?\s+(0x[0-9a-f]+|1u << \d+|\d+)(?=[\s,}])/g;
    for (const [, name, value] of text.matchAll(pattern)) {
      const [number, shift = 0] = value!.split("u << ").map(Number);
      found.set(name!, number! << Number(shift));
    }
  }
  return found;
}

Deno.test("the decoders lie where the C compiler puts the fields", () => {
  using library = new Library();
  const layout = library.layout();
  for (const struct of structs) {
    const wanted = layout[struct.name];
    const fields = struct.places.map(({ name, offset, size }) => [name, [offset, size]]);
    assertEquals({ size: struct.size, fields: Object.fromEntries(fields) }, wanted as unknown);
  }
});

Deno.test("every struct that an image holds has a decoder", () => {
  using library = new Library();
  const decoded = structs.map((struct) => struct.name);
  const missing = Object.keys(library.layout()).filter((name) => !decoded.includes(name));
  // These are in the program's memory, not in a note.
  assertEquals(missing, ["ckpt_resume", "ckpt_stopped"]);
});

Deno.test("the layout has every struct of the headers", async () => {
  using library = new Library();
  const names: string[] = [];
  for (const name of ["image.h", "control.h"]) {
    const text = await Deno.readTextFile(join(root, "native/format", name));
    names.push(...[...text.matchAll(/^struct (\w+) \{/gm)].map((match) => match[1]!));
  }
  assertEquals(Object.keys(library.layout()).toSorted(), names.toSorted());
});

Deno.test("every note of the header has a name here", async () => {
  const notes = [...(await constants()).keys()].filter((name) => name.startsWith("NOTE_"));
  const known = Object.keys(format.NoteType).map((name) => `NOTE_${name}`);
  assertEquals(notes.filter((name) => name !== "NOTE_NAME").toSorted(), known.toSorted());
});

Deno.test("the constants are those of the C headers", async () => {
  const c = await constants();
  const prefixes = {
    NOTE: format.NoteType,
    REGION: format.RegionKind,
    DESC: format.DescriptionKind,
    FILE: format.FileFlag,
    SOCKET: format.SocketFlag,
    REPORT: format.ReportKind,
  };
  for (const [prefix, names] of Object.entries(prefixes)) {
    for (const [name, value] of Object.entries(names)) {
      assertEquals([name, c.get(`${prefix}_${name}`)], [name, value]);
    }
  }
  for (const [name, value] of Object.entries(format.RegionFlag)) {
    assertEquals([name, c.get(`REGION_${name}`)], [name, value]);
  }
  assertEquals(c.get("FORMAT_VERSION"), format.FORMAT_VERSION);
  assertEquals(c.get("PROLOGUE_OFFSET"), format.PROLOGUE_OFFSET);
  assertEquals(c.get("CONTROL_SIGNAL"), format.CONTROL_SIGNAL);
  assertEquals(c.get("CONTROL_VERSION"), format.CONTROL_VERSION);
  assertEquals(c.get("AUXV_MARK"), format.AUXV_MARK);
  assertEquals(c.get("REQUEST_KILL"), format.RequestFlag.KILL);
  assertEquals(c.get("REQUEST_TCP_REPAIR"), format.RequestFlag.TCP_REPAIR);
});

Deno.test("Struct decodes a shorter struct as if zeros followed, and leaves a longer one's rest", () => {
  const bytes = new Uint8Array(format.RANGE.size + 8).fill(1);
  assertEquals(format.RANGE.decode(bytes.subarray(0, 8)), { start: 0x0101010101010101n, end: 0n });
  assertEquals(format.RANGE.decode(bytes).end, 0x0101010101010101n);
});
