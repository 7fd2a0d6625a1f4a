import type { MemoryGroup, Region, Thread } from "./process_image.ts";

/** What a region is for, the first that holds. */
const KINDS: [MemoryGroup["kind"], (region: Region, threads: readonly Thread[]) => boolean][] = [
  ["heap", ({ flags }) => flags.includes("heap")],
  ["stack", ({ flags }) => flags.includes("stack")],
  ["kernel", ({ kind }) => kind === "vdso" || kind === "vvar" || kind === "aio"],
  ["shared", ({ kind }) => kind === "shared"],
  ["shared file", ({ kind }) => kind === "file shared"],
  ["file", ({ path }) => path !== ""],
  ["thread stacks", (region, threads) => threads.some(({ stack }) => holds(region, stack))],
  [
    "reserved",
    ({ stored, inherited, protection, flags }) =>
      stored + inherited === 0 && (protection === "---" || flags.includes("noreserve")),
  ],
  ["anonymous", ({ kind }) => kind === "anonymous"],
  ["other", () => true],
];

/** Regions of one kind together, those over files by file: the kinds in the order above, the largest first. */
export function groupMemory(regions: readonly Region[], threads: readonly Thread[]): MemoryGroup[] {
  const groups = new Map<string, MemoryGroup>();
  for (const region of regions) {
    const [kind] = KINDS.find(([, holds]) => holds(region, threads))!;
    const key = `${kind} ${region.path}`;
    const none = { regions: 0, size: 0, stored: 0, inherited: 0 };
    const group = groups.get(key) ??
      { kind, path: region.path, carried: region.carried, ...none };
    group.regions++;
    group.size += Number(region.end - region.start);
    group.stored += region.stored;
    group.inherited += region.inherited;
    groups.set(key, group);
  }
  const place = ({ kind }: MemoryGroup) => KINDS.findIndex(([name]) => name === kind);
  return [...groups.values()].sort((a, b) => place(a) - place(b) || b.size - a.size);
}

function holds({ start, end }: Region, address: bigint): boolean {
  return start <= address && address < end;
}
