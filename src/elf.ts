/** The ELF header's size. */
export const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const SECTION_HEADER_SIZE = 64;
const PN_XNUM = 0xffff;

/** e_type of a core file. */
export const ET_CORE = 4;
/** e_machine of x86-64. */
export const EM_X86_64 = 62;
/** p_type of memory, of the dynamic loader's path, and of notes. */
export const PT_LOAD = 1;
export const PT_INTERP = 3;
export const PT_NOTE = 4;

/** What is used of an ELF64 header. */
export interface ElfHeader {
  type: number;
  machine: number;
  programHeaders: number;
  programHeaderCount: number;
}

/** One ELF64 program header. */
export interface ProgramHeader {
  type: number;
  flags: number;
  offset: bigint;
  address: bigint;
  fileSize: bigint;
  memorySize: bigint;
}

/** Whether bytes begin as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c &&
    bytes[3] === 0x46;
}

/** The header that these bytes are. Throws a RangeError in a few words for anything but a 64-bit one. */
export function readHeader(bytes: Uint8Array): ElfHeader {
  if (bytes.length < HEADER_SIZE || !isElf(bytes)) throw new RangeError("it is not an ELF file");
  if (bytes[4] !== 2 || bytes[5] !== 1 || bytes[6] !== 1) {
    throw new RangeError("it is not a 64-bit little-endian ELF file");
  }
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const programHeaders = data.getBigUint64(32, true);
  if (programHeaders > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new RangeError("its program headers lie outside the file");
  }
  return {
    type: data.getUint16(16, true),
    machine: data.getUint16(18, true),
    programHeaders: Number(programHeaders),
    programHeaderCount: data.getUint16(56, true),
  };
}

/**
 * The program headers in these bytes, which may end with the section header that holds their number when
 * it does not fit the ELF header. Throws a RangeError when number and bytes disagree.
 */
export function readProgramHeaders(bytes: Uint8Array, count: number): ProgramHeader[] {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let total = count;
  let end = bytes.length;
  if (count === PN_XNUM) {
    end -= SECTION_HEADER_SIZE;
    if (end < 0) throw new RangeError("its number of program headers is missing");
    total = data.getUint32(end + 44, true); // sh_info
  }
  if (total * PROGRAM_HEADER_SIZE !== end) {
    throw new RangeError(`it should have ${total} program headers, in ${end} bytes`);
  }
  return Array.from({ length: total }, (_, i) => readProgramHeader(data, i * PROGRAM_HEADER_SIZE));
}

/** The program header at an offset. */
export function readProgramHeader(data: DataView, offset: number): ProgramHeader {
  return {
    type: data.getUint32(offset, true),
    flags: data.getUint32(offset + 4, true),
    offset: data.getBigUint64(offset + 8, true),
    address: data.getBigUint64(offset + 16, true),
    fileSize: data.getBigUint64(offset + 32, true),
    memorySize: data.getBigUint64(offset + 40, true),
  };
}
