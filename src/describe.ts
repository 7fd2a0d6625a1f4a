import type { Core } from "./core.ts";
import { PT_LOAD } from "./elf.ts";
import { DESCRIPTION, DescriptionKind, DESCRIPTOR, FILE, FileFlag, NoteType } from "./format.ts";
import { REGION, RegionFlag, RegionKind, THREAD } from "./format.ts";
import { text } from "./notes.ts";
import type { Descriptor, ImageFile, ProcessImage, Region, Thread } from "./process_image.ts";

const FD_CLOEXEC = 1;

/** A core file's notes in the words of the module. Throws a RangeError for an index that leads nowhere. */
export function describeProcess(core: Core): ProcessImage {
  const { process } = core;
  const files = core.notes.array(NoteType.FILES, FILE).map((file): ImageFile => ({
    path: file.path,
    size: Number(file.size),
    modified: new Date(Number(file.mtime_ns / 1_000_000n)),
    mapped: (file.flags & FileFlag.MAPPED) !== 0,
    open: (file.flags & FileFlag.OPEN) !== 0,
    written: (file.flags & FileFlag.WRITTEN) !== 0,
    deleted: (file.flags & FileFlag.DELETED) !== 0,
    carried: file.carried,
  }));
  return {
    path: core.path,
    pid: process.pid,
    parent: process.ppid,
    command: process.command,
    program: process.exe,
    cwd: process.cwd,
    uid: process.uid[0]!,
    gid: process.gid[0]!,
    size: core.dataSize,
    regions: describeRegions(core, files),
    descriptors: describeDescriptors(core),
    threads: core.notes.array(NoteType.THREADS, THREAD).map((thread): Thread => ({
      tid: thread.tid,
      name: text(thread.name),
      instruction: core.notes.instructions.get(thread.tid) ?? 0n,
      ended: thread.ended === 1,
    })),
    files,
  };
}

function describeRegions(core: Core, files: ImageFile[]): Region[] {
  const regions = core.notes.array(NoteType.REGIONS, REGION).map((region): Region => {
    if (region.end < region.start || region.file > files.length) {
      throw new RangeError(`its region at 0x${region.start.toString(16)} is damaged`);
    }
    return {
      start: region.start,
      end: region.end,
      protection: "rwx".replace(/./g, (letter, i) => region.prot & (1 << i) ? letter : "-"),
      kind: nameOf(RegionKind, region.kind) as Region["kind"],
      flags: Object.entries(RegionFlag)
        .filter(([, bit]) => region.flags & bit)
        .map(([name]) => name.toLowerCase()),
      path: region.file ? files[region.file - 1]!.path : "",
      offset: region.offset,
      stored: 0,
    };
  });
  // Both are in the order of addresses.
  let i = 0;
  for (const header of core.programHeaders) {
    if (header.type !== PT_LOAD) continue;
    while (i < regions.length && regions[i]!.end <= header.address) i++;
    if (i < regions.length && regions[i]!.start <= header.address) {
      regions[i]!.stored += Number(header.fileSize);
    }
  }
  return regions;
}

function describeDescriptors(core: Core): Descriptor[] {
  const descriptions = core.notes.array(NoteType.DESCRIPTIONS, DESCRIPTION);
  return core.notes.array(NoteType.DESCRIPTORS, DESCRIPTOR).map((descriptor): Descriptor => {
    const description = descriptions[descriptor.description];
    if (!description) throw new RangeError(`its descriptor ${descriptor.fd} is damaged`);
    return {
      fd: descriptor.fd,
      kind: nameOf(DescriptionKind, description.kind) as Descriptor["kind"],
      name: description.name,
      flags: description.flags,
      closeOnExec: (descriptor.flags & FD_CLOEXEC) !== 0,
      position: Number(description.pos),
      description: descriptor.description,
    };
  });
}

function nameOf(names: Record<string, number>, value: number): string {
  const found = Object.entries(names).find(([, number]) => number === value);
  return found ? found[0].toLowerCase().replaceAll("_", " ") : "unknown";
}
