import { HEADER_SIZE, PT_LOAD, readHeader, readProgramHeader } from "./elf.ts";

const SYMBOL_SIZE = 24;
const SECTION_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const SHT_SYMTAB = 2;
const SHT_NOTE = 7;
const SHT_DYNSYM = 11;
const NT_GNU_BUILD_ID = 3;
const FUNCTION_TYPES = [2, 10]; // STT_FUNC, STT_GNU_IFUNC

interface Section {
  type: number;
  offset: number;
  size: number;
  link: number;
}

function isUnreadable(error: unknown): boolean {
  return error instanceof RangeError || error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.PermissionDenied;
}

/** The text that begins there, "" when nothing ends it. */
function nameAt(names: Uint8Array, start: number): string {
  const end = names.indexOf(0, start);
  return new TextDecoder().decode(names.subarray(start, Math.max(start, end)));
}

/**
 * The functions of an ELF file, from .symtab, or else from .dynsym and what a distribution has put under
 * /usr/lib/debug. Everything in it is checked against its size.
 */
export class Symbols {
  readonly #file: Deno.FsFile;
  readonly #size: number;
  #loads: { offset: bigint; address: bigint; size: bigint }[] = [];
  #tables: { symbols: DataView; names: Uint8Array }[] = [];

  private constructor(file: Deno.FsFile, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Reads a file's symbols; undefined when it is gone, another one by now, or no such file. */
  static async read(
    path: string,
    expected: { size: number; modified: Date },
  ): Promise<Symbols | undefined> {
    try {
      using file = await Deno.open(path);
      const { size, mtime, isFile } = await file.stat();
      if (!isFile || size !== expected.size) return undefined;
      if (mtime?.getTime() !== expected.modified.getTime()) return undefined;
      const symbols = new Symbols(file, size);
      await symbols.#read();
      return symbols;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
  }

  /** The function that the byte at this file offset belongs to. */
  functionAt(offset: bigint): string | undefined {
    const load = this.#loads.find((load) =>
      offset >= load.offset && offset < load.offset + load.size
    );
    if (!load) return undefined;
    const address = offset - load.offset + load.address;
    for (const { symbols, names } of this.#tables) {
      for (let at = 0; at + SYMBOL_SIZE <= symbols.byteLength; at += SYMBOL_SIZE) {
        if (!FUNCTION_TYPES.includes(symbols.getUint8(at + 4) & 15)) continue;
        const start = symbols.getBigUint64(at + 8, true);
        if (address < start || address >= start + symbols.getBigUint64(at + 16, true)) continue;
        const name = nameAt(names, symbols.getUint32(at, true));
        if (name) return name;
      }
    }
  }

  /** The address of a function, undefined when there is none of that name. */
  addressOf(name: string): bigint | undefined {
    for (const { symbols, names } of this.#tables) {
      for (let at = 0; at + SYMBOL_SIZE <= symbols.byteLength; at += SYMBOL_SIZE) {
        if (nameAt(names, symbols.getUint32(at, true)) === name) {
          return symbols.getBigUint64(at + 8, true);
        }
      }
    }
  }

  async #read(): Promise<void> {
    const front = await this.#bytes(0, HEADER_SIZE);
    const header = readHeader(front);
    const data = new DataView(front.buffer);
    const sections = await this.#sections(data);
    const { programHeaders, programHeaderCount } = header;
    const phdrs = await this.#bytes(programHeaders, programHeaderCount * PROGRAM_HEADER_SIZE);
    const view = new DataView(phdrs.buffer);
    for (let i = 0; i < programHeaderCount; i++) {
      const { type, offset, address, fileSize } = readProgramHeader(view, i * PROGRAM_HEADER_SIZE);
      if (type === PT_LOAD) this.#loads.push({ offset, address, size: fileSize });
    }
    for (const wanted of [SHT_SYMTAB, SHT_DYNSYM]) {
      const table = sections.find((section) => section.type === wanted);
      const names = table && sections[table.link];
      if (!table || !names) continue;
      const symbols = await this.#bytes(table.offset, table.size);
      this.#tables.push({
        symbols: new DataView(symbols.buffer),
        names: await this.#bytes(names.offset, names.size),
      });
    }
    if (!sections.some((section) => section.type === SHT_SYMTAB)) {
      for (const note of sections) if (note.type === SHT_NOTE) await this.#readDebugFile(note);
    }
  }

  /** The symbols of the debug file that a note with a build id names. */
  async #readDebugFile(note: Section): Promise<void> {
    const bytes = await this.#bytes(note.offset, note.size);
    const [nameSize, idSize, type] = new Uint32Array(bytes.slice(0, 12).buffer);
    if (type !== NT_GNU_BUILD_ID || nameSize !== 4 || !idSize || 16 + idSize > note.size) return;
    const id = [...bytes.subarray(16, 16 + idSize)].map((byte) =>
      byte.toString(16).padStart(2, "0")
    );
    try {
      using file = await Deno.open(
        `/usr/lib/debug/.build-id/${id[0]}/${id.slice(1).join("")}.debug`,
      );
      const debug = new Symbols(file, (await file.stat()).size);
      await debug.#read();
      this.#tables.push(...debug.#tables);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
  }

  async #sections(header: DataView): Promise<Section[]> {
    const start = Number(header.getBigUint64(40, true));
    const count = header.getUint16(60, true);
    if (count === 0 || header.getUint16(58, true) !== SECTION_SIZE) return [];
    const bytes = await this.#bytes(start, count * SECTION_SIZE);
    const data = new DataView(bytes.buffer);
    return Array.from({ length: count }, (_, i) => ({
      type: data.getUint32(i * SECTION_SIZE + 4, true),
      offset: Number(data.getBigUint64(i * SECTION_SIZE + 24, true)),
      size: Number(data.getBigUint64(i * SECTION_SIZE + 32, true)),
      link: data.getUint32(i * SECTION_SIZE + 40, true),
    }));
  }

  async #bytes(offset: number, size: number): Promise<Uint8Array<ArrayBuffer>> {
    if (offset > this.#size || size > this.#size - offset) {
      throw new RangeError("a part of it lies outside the file");
    }
    const bytes = new Uint8Array(size);
    await this.#file.seek(offset, Deno.SeekMode.Start);
    for (let filled = 0; filled < size;) {
      const got = await this.#file.read(bytes.subarray(filled));
      if (got === null) throw new RangeError("it is cut off");
      filled += got;
    }
    return bytes;
  }
}
