import { Struct } from "../struct.ts";

// What every core begins with, and says of its image: native/format/image.h, as this side reads it.

/** The newest format that this version reads. */
export const FORMAT_VERSION = 1;

/** The first bytes of the prologue. */
export const MAGIC = "CKPTIMG\0";

/** Where the prologue is. */
export const PROLOGUE_OFFSET = 64;

/** Types of the notes named CKPT. */
export const NoteType = {
  IMAGE: 0x434b0001,
  PROCESS: 0x434b0002,
  THREADS: 0x434b0003,
  REGIONS: 0x434b0004,
  FILES: 0x434b0005,
  DESCRIPTIONS: 0x434b0006,
  DESCRIPTORS: 0x434b0007,
  SIGACTIONS: 0x434b0008,
  SIGNALS: 0x434b0009,
  RLIMITS: 0x434b000a,
  ITIMERS: 0x434b000b,
  STRINGS: 0x434b000c,
  CHECKSUMS: 0x434b000d,
  GROUPS: 0x434b000e,
  GUARDS: 0x434b000f,
  BLOB: 0x434b0010,
  LOCKS: 0x434b0011,
  TIMERS: 0x434b0012,
  WATCHES: 0x434b0013,
  TIMERFDS: 0x434b0014,
  SOCKETS: 0x434b0015,
  OPTIONS: 0x434b0016,
  CHILDREN: 0x434b001f,
  STOPS: 0x434b001e,
  INOTIFY: 0x434b0017,
  TERMINALS: 0x434b0018,
  PTYS: 0x434b001a,
  TCP: 0x434b001c,
  INHERITED: 0x434b0019,
  SETS: 0x434b0020,
  SEMAPHORES: 0x434b0021,
  QUEUES: 0x434b0022,
} as const;

/** struct ckpt_prologue. */
export const PROLOGUE = new Struct("ckpt_prologue", {
  magic: "bytes8",
  version: "u32",
  size: "u32",
  file_size: "u64",
  data_offset: "u64",
  data_size: "u64",
  notes_offset: "u64",
  notes_size: "u64",
  phdrs_offset: "u64",
  phdrs_size: "u64",
  chunk_size: "u32",
  notes_crc: "u32",
  phdrs_crc: "u32",
  prologue_crc: "u32",
});

/** struct ckpt_array. */
export const ARRAY = new Struct("ckpt_array", {
  count: "u32",
  entry_size: "u32",
});

/** struct ckpt_range. */
export const RANGE = new Struct("ckpt_range", {
  start: "u64",
  end: "u64",
});

/** struct ckpt_image. */
export const IMAGE = new Struct("ckpt_image", {
  id: "bytes16",
  parent: "bytes16",
  number: "u64",
  realtime_ns: "i64",
  monotonic_ns: "i64",
  boottime_ns: "i64",
  boot_id: "bytes16",
  snapshot: "u32",
  process_count: "u32",
  leader: "i32",
  page_size: "u32",
  xcr0: "u64",
  cpuid: "u32x8",
  job: "string",
  program: "string",
  kernel: "string",
  host: "string",
  last_pid: "i32",
});
