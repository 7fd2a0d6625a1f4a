import { join, resolve } from "@std/path";
import { EM_X86_64, HEADER_SIZE, isElf, PT_INTERP, readHeader, readProgramHeader } from "./elf.ts";

const FRONT = 64 * 1024;
const INTERPRETERS = 5;
const SET_ID = 0o6000;

/** Where a program is looked for. */
export interface SearchOptions {
  /** Relative paths start here. */
  cwd: string;
  /** The directories of PATH. */
  path: string;
}

/** The file that running `name` would execute. Throws NotFound. */
export async function findProgram(name: string, options: SearchOptions): Promise<string> {
  const places = name.includes("/")
    ? [resolve(options.cwd, name)]
    : options.path.split(":").map((directory) =>
      join(resolve(options.cwd, directory || "."), name)
    );
  let denied: string | undefined;
  for (const place of name === "" ? [] : places) {
    const info = await Deno.stat(place).catch(() => undefined);
    if (info?.isFile && (info.mode ?? 0) & 0o111) return place;
    if (info?.isFile) denied = `it is not executable (chmod +x ${place} makes it so)`;
    else if (info?.isDirectory && name.includes("/")) denied = "it is a directory";
  }
  const words = `Cannot run ${name === "" ? '""' : name}: `;
  if (denied) throw new Deno.errors.PermissionDenied(words + denied);
  if (name.includes("/")) throw new Deno.errors.NotFound(`${words}there is no such program`);
  const here = name !== "" &&
    await Deno.stat(resolve(options.cwd, name)).then((info) => info.isFile, () => false);
  const hint = here ? ` (./${name} is the one here)` : "";
  throw new Deno.errors.NotFound(`${words}there is no such program on PATH${hint}`);
}

/** Throws NotSupported when a program would run, but never load libckpt. */
export async function checkProgram(path: string): Promise<void> {
  let file = path;
  for (let i = 0; i < INTERPRETERS; i++) {
    const front = await readFront(file, path);
    if (isElf(front)) return await checkElf(file, { front, named: path });
    const script = new TextDecoder().decode(front.subarray(0, 256)).match(/^#![ \t]*([^ \t\n]+)/);
    if (!script) {
      throw new Deno.errors.NotSupported(
        `Cannot run ${path}: it is neither a program nor a script that begins with #!`,
      );
    }
    file = script[1]!;
  }
  throw new Deno.errors.NotSupported(`Cannot run ${path}: its interpreters never end`);
}

/** Whether an ELF file's front names a dynamic loader. */
export function isDynamic(front: Uint8Array): boolean {
  const header = readHeader(front);
  const data = new DataView(front.buffer, front.byteOffset, front.length);
  for (let i = 0; i < header.programHeaderCount; i++) {
    const offset = header.programHeaders + i * 56;
    if (offset + 56 > front.length) break;
    if (readProgramHeader(data, offset).type === PT_INTERP) return true;
  }
  return false;
}

async function checkElf(file: string, of: { front: Uint8Array; named: string }): Promise<void> {
  const { front, named } = of;
  const what = file === named ? "it" : `its interpreter ${file}`;
  const refuse = (why: string) =>
    new Deno.errors.NotSupported(`Cannot run ${named} under libckpt: ${what} ${why}`);
  if (front.length < HEADER_SIZE || front[4] !== 2 || readHeader(front).machine !== EM_X86_64) {
    throw refuse("is not a 64-bit x86 program");
  }
  if (!isDynamic(front)) {
    throw refuse("is statically linked and cannot load it (link it dynamically)");
  }
  const { mode, uid } = await Deno.stat(file);
  if ((mode ?? 0) & SET_ID && uid !== Deno.uid()) {
    throw refuse("runs with the rights of another user and does not load it");
  }
}

/** The beginning of a file, long enough for its program headers. */
export async function readFront(path: string, named = path): Promise<Uint8Array> {
  try {
    using file = await Deno.open(path);
    const front = new Uint8Array(FRONT);
    let filled = 0;
    for (;;) {
      const got = await file.read(front.subarray(filled));
      if (!got) return front.subarray(0, filled);
      filled += got;
    }
  } catch (cause) {
    // A program may be executable and yet not readable, then the kernel has the last word.
    const words = cause instanceof Deno.errors.NotFound
      ? "is missing"
      : cause instanceof Deno.errors.PermissionDenied
      ? "cannot be read, so nobody knows whether it would load libckpt"
      : undefined;
    if (!words) throw cause;
    const what = path === named ? "it" : `its interpreter ${path}`;
    throw new Deno.errors.NotFound(`Cannot run ${named}: ${what} ${words}`, { cause });
  }
}
