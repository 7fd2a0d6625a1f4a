/**
 * Changing a core, with all of its checksums right: images of other machines, made here.
 *
 * @module
 */
import { checksum } from "../src/checksum.ts";
import { PT_LOAD, PT_NOTE, readHeader, readProgramHeaders } from "../src/elf.ts";
import { IMAGE, NoteType, PROCESS, PROLOGUE, THREAD } from "../src/format.ts";

/** A core in memory. */
export class CoreEditor {
  readonly #path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #headers: ReturnType<typeof readProgramHeaders>;

  private constructor(path: string, bytes: Uint8Array<ArrayBuffer>) {
    this.#path = path;
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    const { programHeaders, programHeaderCount } = readHeader(bytes);
    this.#headers = readProgramHeaders(bytes.subarray(programHeaders), programHeaderCount);
  }

  static async open(path: string): Promise<CoreEditor> {
    return new CoreEditor(path, await Deno.readFile(path));
  }

  /** Where the contents of a note begin. */
  note(wanted: number): number {
    const { offset, fileSize } = this.#headers.find(({ type }) => type === PT_NOTE)!;
    for (let at = Number(offset); at < Number(offset + fileSize);) {
      const [nameSize, size, type] = [0, 4, 8].map((field) =>
        this.#view.getUint32(at + field, true)
      );
      const data = at + 12 + Math.ceil(nameSize! / 4) * 4;
      if (type === wanted) return data;
      at = data + Math.ceil(size! / 4) * 4;
    }
    throw new Error(`No note ${wanted.toString(16)}`);
  }

  /** Where in the file the last byte of the memory run at an address is. */
  lastByteOf(address: number): number {
    const load = this.#headers.find((header) =>
      header.type === PT_LOAD && Number(header.address) === address
    )!;
    return Number(load.offset) + Number(load.fileSize) - 1;
  }

  /** Changes a byte of memory. */
  setMemory(at: number, value: number): void {
    this.bytes[at] = value;
    const { chunk_size, data_offset, data_size } = PROLOGUE.decode(this.bytes.subarray(64));
    const end = Number(data_offset + data_size);
    const chunk = Math.floor((at - Number(data_offset)) / chunk_size);
    const from = Number(data_offset) + chunk * chunk_size;
    const sum = checksum(this.bytes.subarray(from, Math.min(from + chunk_size, end)));
    this.#view.setUint32(this.note(NoteType.CHECKSUMS) + 8 + chunk * 4, sum, true);
  }

  /** Puts another range in the place of all that the process inherits from there on. */
  inheritLast(start: bigint, end: bigint): void {
    const note = this.note(NoteType.INHERITED);
    let count = this.#view.getUint32(note, true);
    const place = () => note + 8 + (count - 1) * 16;
    while (count > 1 && this.#view.getBigUint64(place(), true) >= start) count--;
    this.#view.setUint32(note, count, true);
    this.#view.setBigUint64(place(), start, true);
    this.#view.setBigUint64(place() + 8, end, true);
  }

  /** Adds to a 64-bit field of the image note. */
  addToImage(field: string, value: bigint): void {
    const at = this.note(NoteType.IMAGE) + place(IMAGE, field);
    this.#view.setBigInt64(at, this.#view.getBigInt64(at, true) + value, true);
  }

  /** Adds to a 32-bit field of the first entry of an array note; nothing when there is none. */
  addToFirst(wanted: number, struct: Layout, field: string, value: number): void {
    const note = this.note(wanted);
    if (this.#view.getUint32(note, true) === 0) return;
    const at = note + 8 + place(struct, field);
    this.#view.setUint32(at, this.#view.getUint32(at, true) + value, true);
  }

  /** Changes 32 bits of a field of the process note. */
  setProcess(field: string, value: number): void {
    this.#view.setUint32(this.note(NoteType.PROCESS) + place(PROCESS, field), value, true);
  }

  /** Changes 32 bits of a thread's field. */
  setThread(index: number, field: string, value: number, from = 0): void {
    const threads = this.note(NoteType.THREADS);
    const size = this.#view.getUint32(threads + 4, true);
    this.#view.setUint32(threads + 8 + index * size + place(THREAD, field) + from, value, true);
  }

  async save(): Promise<void> {
    const { offset, fileSize } = this.#headers.find(({ type }) => type === PT_NOTE)!;
    const notes = this.bytes.subarray(Number(offset), Number(offset + fileSize));
    this.#view.setUint32(64 + place(PROLOGUE, "notes_crc"), checksum(notes), true);
    this.#view.setUint32(64 + place(PROLOGUE, "prologue_crc"), 0, true);
    const prologue = this.bytes.subarray(0, 64 + PROLOGUE.size);
    this.#view.setUint32(64 + place(PROLOGUE, "prologue_crc"), checksum(prologue), true);
    await Deno.writeFile(this.#path, this.bytes);
  }
}

/** Where the fields of a struct are. */
interface Layout {
  places: readonly { name: string; offset: number }[];
}

function place(struct: Layout, name: string): number {
  return struct.places.find((field) => field.name === name)!.offset;
}
