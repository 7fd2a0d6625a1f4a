import { basename } from "@std/path";
import type { Core } from "./core.ts";
import { PT_LOAD } from "./elf.ts";
import { NoteType, RANGE } from "./format.ts";

interface Range {
  start: bigint;
  end: bigint;
}

/** The ranges of a process's memory that are in the core of its parent, by address. */
export function inheritedRanges(core: Core): Range[] {
  return core.notes.array(NoteType.INHERITED, RANGE);
}

/** What a core lacks of what its process shares with its parent: none of it may be in no core. */
export function inheritedProblems(core: Core, cores: readonly Core[]): string[] {
  const ranges = inheritedRanges(core);
  if (ranges.length === 0) return [];
  const parent = cores.find(({ process }) =>
    process.pid === core.process.ppid && !core.process.orphan
  );
  const held = parent && core.process.pid !== core.image.leader ? heldBy(parent) : [];
  const missing = ranges.find((range) => !covers(held, range));
  return missing
    ? [`${basename(core.path)}: its memory at 0x${missing.start.toString(16)} is in no core`]
    : [];
}

/** What a core has itself, and what it leaves to its own parent's. */
function heldBy(core: Core): Range[] {
  const own = core.programHeaders.filter(({ type, fileSize }) => type === PT_LOAD && fileSize > 0n)
    .map(({ address, fileSize }) => ({ start: address, end: address + fileSize }));
  return [...own, ...inheritedRanges(core)].sort((a, b) => a.start < b.start ? -1 : 1);
}

/** Whether ranges by address leave no gap in another one. */
function covers(ranges: readonly Range[], { start, end }: Range): boolean {
  if (end <= start) return false;
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.end <= start) low = middle + 1;
    else high = middle;
  }
  let at = start;
  for (let i = low; i < ranges.length && ranges[i]!.start <= at && at < end; i++) {
    at = ranges[i]!.end;
  }
  return at >= end;
}
