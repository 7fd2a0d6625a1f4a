import { checksum } from "./checksum.ts";
import { EM_X86_64, ET_CORE, HEADER_SIZE, type ProgramHeader, PT_LOAD } from "./elf.ts";
import { isElf, readHeader, readProgramHeaders } from "./elf.ts";
import { ImageError } from "./errors.ts";
import { FORMAT_VERSION, IMAGE, MAGIC, NoteType, PROCESS } from "./format.ts";
import { PROLOGUE, PROLOGUE_OFFSET } from "./format.ts";
import { Library } from "./library.ts";
import { Notes } from "./notes.ts";

const PAGE = 4096;
const FRONT = PROLOGUE_OFFSET + PROLOGUE.size;

/** One core file: everything but its memory read, and checked as input from an enemy. */
export class Core {
  /** Its path. */
  readonly path: string;
  /** Bytes of memory in it. */
  readonly dataSize: number;
  /** Its program headers. */
  readonly programHeaders: ProgramHeader[];
  /** Its notes. */
  readonly notes: Notes;
  /** The note about the image. */
  readonly image: ReturnType<typeof IMAGE.decode>;
  /** The note about the process. */
  readonly process: ReturnType<typeof PROCESS.decode>;
  /** Where what lies in the file. */
  readonly #places: Places;

  private constructor(path: string, parts: Parts) {
    this.path = path;
    this.#places = parts.places;
    this.dataSize = parts.places.dataSize;
    this.programHeaders = parts.programHeaders;
    this.notes = parts.notes;
    this.image = parts.notes.struct(NoteType.IMAGE, IMAGE);
    this.process = parts.notes.struct(NoteType.PROCESS, PROCESS);
  }

  /** Reads a core file. Throws an ImageError that says what is wrong with it. */
  static async read(path: string): Promise<Core> {
    try {
      using file = await Deno.open(path);
      return new Core(path, await readParts(file));
    } catch (cause) {
      throw asImageError(path, cause);
    }
  }

  /** Checks the memory and what is between the parts. Gives every problem found. */
  async problems(): Promise<string[]> {
    const problems: string[] = [];
    const { dataOffset, dataSize, chunkSize, notesOffset, fileSize } = this.#places;
    const expected = this.notes.numbers(NoteType.CHECKSUMS);
    if (expected.length !== Math.ceil(dataSize / chunkSize)) {
      return [`it has ${expected.length} checksums for ${dataSize} bytes of memory`];
    }
    {
      using library = new Library();
      const range = { offset: dataOffset, size: dataSize, chunk: chunkSize };
      const sums = await library.checksums(this.path, range);
      sums.forEach((sum, i) => {
        if (sum !== expected[i]) {
          problems.push(`its memory is damaged at byte ${dataOffset + i * chunkSize}`);
        }
      });
    }
    using file = await Deno.open(this.path);
    const gaps: [number, number][] = [
      [FRONT, dataOffset],
      [dataOffset + dataSize, notesOffset],
      [notesOffset + this.#places.notesSize, this.#places.phdrsOffset],
      [this.#places.phdrsOffset + this.#places.phdrsSize, fileSize],
    ];
    for (const [start, end] of gaps) {
      const bytes = await readAt(file, start, end - start);
      if (bytes.some((byte) => byte !== 0)) problems.push(`its padding at ${start} is not empty`);
    }
    for (const header of this.programHeaders) {
      if (header.type !== PT_LOAD || header.fileSize === 0n) continue;
      const end = header.offset + header.fileSize;
      if (header.offset < BigInt(dataOffset) || end > BigInt(dataOffset + dataSize)) {
        problems.push(`memory at 0x${header.address.toString(16)} lies outside its data`);
      }
    }
    return problems;
  }
}

interface Places {
  fileSize: number;
  dataOffset: number;
  dataSize: number;
  notesOffset: number;
  notesSize: number;
  phdrsOffset: number;
  phdrsSize: number;
  chunkSize: number;
}

interface Parts {
  places: Places;
  notes: Notes;
  programHeaders: ProgramHeader[];
}

async function readParts(file: Deno.FsFile): Promise<Parts> {
  const { size, isFile } = await file.stat();
  if (!isFile) throw new RangeError("it is not a file");
  if (size === 0) throw new RangeError("it is empty");
  const front = await readAt(file, 0, Math.min(size, FRONT));
  if (!isElf(front)) throw new RangeError("it is not a core file");
  if (front.length < FRONT) throw new RangeError(`it is cut off after ${size} bytes`);
  const header = readHeader(front.subarray(0, HEADER_SIZE));
  if (header.machine !== EM_X86_64) {
    throw new RangeError(`it is of another architecture (ELF machine ${header.machine})`);
  }
  const prologue = PROLOGUE.decode(front.subarray(PROLOGUE_OFFSET));
  if (header.type !== ET_CORE || new TextDecoder().decode(prologue.magic) !== MAGIC) {
    throw new RangeError("it is not a core file that ckpt wrote");
  }
  if (prologue.version > FORMAT_VERSION) {
    throw new RangeError(
      `its format ${prologue.version} is newer than this ckpt (${FORMAT_VERSION}): use a newer one`,
    );
  }
  const places = placesOf(prologue, size);
  const sealed = front.slice();
  sealed.fill(0, FRONT - 4);
  if (checksum(sealed) !== prologue.prologue_crc) throw new RangeError("its header is damaged");

  const notes = await readAt(file, places.notesOffset, places.notesSize);
  if (checksum(notes) !== prologue.notes_crc) throw new RangeError("its notes are damaged");
  const headers = await readAt(file, places.phdrsOffset, places.phdrsSize);
  if (checksum(headers) !== prologue.phdrs_crc) {
    throw new RangeError("its program headers are damaged");
  }
  if (header.programHeaders !== places.phdrsOffset) {
    throw new RangeError("its program headers are not where its header says");
  }
  return {
    places,
    notes: new Notes(notes),
    programHeaders: readProgramHeaders(headers, header.programHeaderCount),
  };
}

function placesOf(prologue: ReturnType<typeof PROLOGUE.decode>, size: number): Places {
  if (prologue.size < PROLOGUE.size) throw new RangeError("its header is damaged");
  if (prologue.file_size !== BigInt(size)) {
    throw new RangeError(
      prologue.file_size > BigInt(size)
        ? `it is cut off: ${size} of ${prologue.file_size} bytes are there`
        : `it should end after ${prologue.file_size} bytes, but has ${size}`,
    );
  }
  // Each part after the one before, none beyond the end: then every number is a safe one too.
  const total = BigInt(size);
  const parts: [bigint, bigint][] = [
    [prologue.data_offset, prologue.data_size],
    [prologue.notes_offset, prologue.notes_size],
    [prologue.phdrs_offset, prologue.phdrs_size],
  ];
  let end = BigInt(PAGE);
  for (const [offset, length] of parts) {
    if (offset < end || offset > total || length > total - offset) {
      throw new RangeError("its parts overlap or lie outside of it");
    }
    end = offset + length;
  }
  const chunkSize = prologue.chunk_size;
  if (chunkSize === 0 || chunkSize % PAGE !== 0) throw new RangeError("its header is damaged");
  return {
    fileSize: size,
    dataOffset: Number(prologue.data_offset),
    dataSize: Number(prologue.data_size),
    notesOffset: Number(prologue.notes_offset),
    notesSize: Number(prologue.notes_size),
    phdrsOffset: Number(prologue.phdrs_offset),
    phdrsSize: Number(prologue.phdrs_size),
    chunkSize,
  };
}

async function readAt(file: Deno.FsFile, offset: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let filled = 0; filled < size;) {
    const got = await file.read(bytes.subarray(filled));
    if (got === null) throw new RangeError(`it is cut off after ${offset + filled} bytes`);
    filled += got;
  }
  return bytes;
}

/** The ImageError for something that went wrong while reading a file, other errors as they are. */
export function asImageError(path: string, cause: unknown, what = "image"): unknown {
  const problem = problemOf(cause);
  if (problem === undefined) return cause;
  return new ImageError(`Cannot read ${what} ${path}: ${problem}`, {
    path,
    problems: [problem],
    cause,
  });
}

function problemOf(cause: unknown): string | undefined {
  if (cause instanceof RangeError) return cause.message;
  if (cause instanceof Deno.errors.NotFound) return "there is no such file";
  if (cause instanceof Deno.errors.PermissionDenied) return "you are not allowed to read it";
  if (cause instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (cause instanceof Deno.errors.NotADirectory) return "there is a file in place of a directory";
  return undefined;
}
