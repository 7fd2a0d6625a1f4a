import type { Core } from "./core.ts";
import { PT_LOAD } from "./elf.ts";
import { describeDescriptors } from "./describe_descriptors.ts";
import type { JobDescriptors } from "./descriptor_notes.ts";
import { describeIpc } from "./describe_ipc.ts";
import { FILE, FileFlag, NoteType } from "./format.ts";
import { REGION, RegionFlag, RegionKind, THREAD } from "./format.ts";
import { nameOf } from "./kind_name.ts";
import { inheritedRanges } from "./inherited.ts";
import { groupMemory } from "./memory_groups.ts";
import { text } from "./notes.ts";
import { signalName } from "./signals.ts";
import type { ImageFile, ProcessImage, Region, Thread } from "./process_image.ts";

/** A core file's notes in the words of the module. Throws a RangeError for an index that leads nowhere. */
export function describeProcess(core: Core, job: JobDescriptors): ProcessImage {
  const { process } = core;
  const files = core.notes.array(NoteType.FILES, FILE).map((file): ImageFile => ({
    path: file.path,
    size: Number(file.size),
    modified: new Date(Number(file.mtime_ns / 1_000_000n)),
    mapped: (file.flags & FileFlag.MAPPED) !== 0,
    open: (file.flags & FileFlag.OPEN) !== 0,
    watched: (file.flags & FileFlag.WATCHED) !== 0,
    written: (file.flags & FileFlag.WRITTEN) !== 0,
    deleted: (file.flags & FileFlag.DELETED) !== 0,
    carried: file.carried,
  }));
  const regions = describeRegions(core, files);
  const threads = core.notes.array(NoteType.THREADS, THREAD).map((thread): Thread => ({
    tid: thread.tid,
    name: text(thread.name),
    instruction: core.notes.places.get(thread.tid)?.instruction ?? 0n,
    stack: core.notes.places.get(thread.tid)?.stack ?? 0n,
    ended: thread.ended === 1,
  }));
  return {
    path: core.path,
    pid: process.pid,
    parent: process.ppid,
    command: process.command,
    program: process.exe,
    cwd: process.cwd,
    stopped: process.stop_signal ? signalName(process.stop_signal) : null,
    uid: process.uid[0]!,
    gid: process.gid[0]!,
    size: core.dataSize,
    regions,
    memory: groupMemory(regions, threads),
    descriptors: describeDescriptors(process.pid, job),
    ipc: describeIpc(core),
    threads,
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
      carried: region.file !== 0 && files[region.file - 1]!.carried !== "",
      offset: region.offset,
      stored: 0,
      inherited: 0,
    };
  });
  const loads = core.programHeaders.filter(({ type }) => type === PT_LOAD);
  addUp(regions, loads.map(({ address, fileSize }) => [address, fileSize]), "stored");
  const inherited = inheritedRanges(core);
  addUp(regions, inherited.map(({ start, end }) => [start, end - start]), "inherited");
  return regions;
}

/** Adds pieces of memory, address and size, to their regions: both are in the order of addresses. */
function addUp(
  regions: Region[],
  pieces: readonly [bigint, bigint][],
  field: "stored" | "inherited",
): void {
  let i = 0;
  for (const [address, size] of pieces) {
    while (i < regions.length && regions[i]!.end <= address) i++;
    if (i < regions.length && regions[i]!.start <= address) regions[i]![field] += Number(size);
  }
}
