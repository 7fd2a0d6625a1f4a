import { ARRAY, NoteType } from "./format.ts";
import type { Fields, FieldType, Strings, Struct } from "./struct.ts";

const HEADER_SIZE = 12;

/** struct elf_prstatus: where the thread's id, its instruction and its stack pointer are, and its size. */
const PRSTATUS = { type: 1, tid: 32, rip: 240, rsp: 264, size: 336 };

/** The notes of a core file. Every length is checked: a RangeError in a few words says what is wrong. */
export class Notes {
  readonly #notes = new Map<number, Uint8Array>();
  readonly #strings: Strings;
  /** Where each thread is, by its id: the address of its next instruction, and its stack pointer. */
  readonly places: ReadonlyMap<number, { instruction: bigint; stack: bigint }>;

  constructor(bytes: Uint8Array) {
    const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const places = new Map<number, { instruction: bigint; stack: bigint }>();
    for (let offset = 0; offset < bytes.length;) {
      if (bytes.length - offset < HEADER_SIZE) throw new RangeError("a note's header is cut off");
      const nameSize = data.getUint32(offset, true);
      const size = data.getUint32(offset + 4, true);
      const type = data.getUint32(offset + 8, true);
      const name = offset + HEADER_SIZE;
      const body = name + align(nameSize);
      if (body + size > bytes.length) throw new RangeError(`note ${type} is cut off`);
      if (nameSize === 5 && text(bytes.subarray(name, name + 4)) === "CKPT") {
        if (this.#notes.has(type)) throw new RangeError(`note ${type} is there twice`);
        this.#notes.set(type, bytes.subarray(body, body + size));
      } else if (type === PRSTATUS.type && size >= PRSTATUS.size) {
        const tid = data.getInt32(body + PRSTATUS.tid, true);
        places.set(tid, {
          instruction: data.getBigUint64(body + PRSTATUS.rip, true),
          stack: data.getBigUint64(body + PRSTATUS.rsp, true),
        });
      }
      offset = body + align(size);
    }
    this.places = places;
    const strings = this.#notes.get(NoteType.STRINGS) ?? new Uint8Array(1);
    this.#strings = (offset) => stringAt(strings, offset);
  }

  /** The one struct of a note that must be there. */
  struct<T extends Record<string, FieldType>>(type: number, struct: Struct<T>): Fields<T> {
    const bytes = this.#notes.get(type);
    if (!bytes) throw new RangeError(`note ${type} (${struct.name}) is missing`);
    return struct.decode(bytes, this.#strings);
  }

  /** The entries of a note, none when it is missing. */
  array<T extends Record<string, FieldType>>(type: number, struct: Struct<T>): Fields<T>[] {
    return this.#entries(type).map((bytes) => struct.decode(bytes, this.#strings));
  }

  /** The entries of a note of plain numbers. */
  numbers(type: number): Uint32Array {
    const entries = this.#entries(type);
    return Uint32Array.from(entries, (bytes) => {
      if (bytes.length !== 4) throw new RangeError(`note ${type} holds entries of ${bytes.length}`);
      return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
    });
  }

  /** A note of plain bytes, none when it is missing. */
  bytes(type: number): Uint8Array {
    return this.#notes.get(type) ?? new Uint8Array(0);
  }

  #entries(type: number): Uint8Array[] {
    const bytes = this.#notes.get(type);
    if (!bytes) return [];
    if (bytes.length < ARRAY.size) throw new RangeError(`note ${type} is cut off`);
    const { count, entry_size } = ARRAY.decode(bytes);
    if (count > 0 && entry_size === 0) throw new RangeError(`note ${type} has entries of size 0`);
    if (ARRAY.size + count * entry_size > bytes.length) {
      throw new RangeError(`note ${type} is shorter than its ${count} entries`);
    }
    return Array.from({ length: count }, (_, i) => {
      const start = ARRAY.size + i * entry_size;
      return bytes.subarray(start, start + entry_size);
    });
  }
}

/** The text up to the first zero byte. */
export function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function stringAt(strings: Uint8Array, offset: number): string {
  const end = strings.indexOf(0, offset);
  if (offset >= strings.length || end < 0) {
    throw new RangeError(`a text lies outside the strings, at ${offset}`);
  }
  return new TextDecoder().decode(strings.subarray(offset, end));
}

function align(size: number): number {
  return Math.ceil(size / 4) * 4;
}
