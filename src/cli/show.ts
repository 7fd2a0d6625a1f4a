import { Image } from "../image.ts";
import type { ImageFile, MemoryGroup, ProcessImage, Region } from "../process_image.ts";
import { threadPlaces } from "../thread_places.ts";
import { readArguments, UsageError } from "./arguments.ts";
import { bytes, findImage, plain, printJson, short, table, when } from "./common.ts";

const PARTS = {
  threads: showThreads,
  fds: showDescriptors,
  memory: showMemory,
};

/** `ckpt show` */
export async function showCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    flags: ["json", ...Object.keys(PARTS)],
    values: ["dir"],
    operands: [1, 1],
    wanted: "an image or a job",
  });
  const [part, ...others] = Object.entries(PARTS).filter(([name]) => parsed.flag(name));
  if (others.length > 0) {
    throw new UsageError(`--${part![0]} and --${others[0]![0]} do not go together`);
  }
  const image = await Image.open(await findImage(parsed.operands[0]!, parsed.value("dir")));
  if (part) await part[1](image, parsed.flag("json"));
  else if (parsed.flag("json")) printJson(image);
  else showAll(image);
  return 0;
}

function showAll(image: Image): void {
  console.log(table([
    ["image", short(image.path)],
    ["job", `${image.job}, image ${image.number}`],
    ["program", image.program],
    ["time", when(image.time)],
    ["size", bytes(image.size)],
    ["made on", `${image.host}, Linux ${image.kernel}`],
    ["id", image.id],
  ]));
  for (const process of image.processes) console.log(plain(`\n${describe(process)}`));
}

async function showThreads(image: Image, json: boolean): Promise<void> {
  const all = await Promise.all(image.processes.map(threadPlaces));
  if (json) return printJson(all.flat());
  console.log(table([
    ["PROCESS", "THREAD", "NAME", "INSTRUCTION", "FUNCTION", "FILE"],
    ...all.flat().map((place) => [
      String(place.pid),
      String(place.tid),
      place.name,
      place.ended ? "-" : place.instruction.toString(16),
      place.ended ? "has ended" : place.function ?? "?",
      place.ended ? "-" : place.file ?? "?",
    ]),
  ]));
}

function showDescriptors({ processes }: Image, json: boolean): void {
  if (json) {
    return printJson(
      processes.flatMap(({ pid, descriptors }) => descriptors.map((all) => ({ pid, ...all }))),
    );
  }
  showEach(processes, descriptorLines);
}

function showMemory({ processes }: Image, json: boolean): void {
  if (json) {
    return printJson(
      processes.flatMap(({ pid, memory }) => memory.map((group) => ({ pid, ...group }))),
    );
  }
  showEach(processes, ({ memory }) =>
    table([
      ["MEMORY", "REGIONS", "SIZE", "IN THE IMAGE", "FILE"],
      ...memory.map(groupRow),
      groupRow({ kind: "total", path: "", carried: false, ...totals(memory) }),
    ]));
}

/** Processes under their names, when there are several. */
function showEach(
  processes: readonly ProcessImage[],
  lines: (process: ProcessImage) => string,
): void {
  for (const process of processes) {
    if (processes.length > 1) console.log(plain(`process ${process.pid}  ${process.command}`));
    console.log(plain(lines(process)));
  }
}

function descriptorLines({ descriptors }: ProcessImage): string {
  return descriptors.map(({ fd, words }) => `${fd}: ${words}`).join("\n");
}

function totals(memory: readonly MemoryGroup[]): Omit<MemoryGroup, "kind" | "path" | "carried"> {
  const total = (count: (group: MemoryGroup) => number) =>
    memory.reduce((sum, group) => sum + count(group), 0);
  return {
    regions: total(({ regions }) => regions),
    size: total(({ size }) => size),
    stored: total(({ stored }) => stored),
    inherited: total(({ inherited }) => inherited),
  };
}

function groupRow(group: Omit<MemoryGroup, "kind"> & { kind: string }): string[] {
  const { kind, path, carried, regions, size } = group;
  const whole = carried ? "and its file" : "";
  return [kind, String(regions), bytes(size), `${held(group)} ${whole}`.trim(), memoryName(path)];
}

/** What the kernel calls memory that is no file's, as people do. */
function memoryName(path: string): string {
  const name = path.replace(/ \(deleted\)$/, "");
  const key = name.match(/^\/SYSV([0-9a-f]{8})$/)?.[1];
  if (key) return `System V segment${/^0+$/.test(key) ? "" : ` (key 0x${key})`}`;
  if (name === path) return path;
  if (name.startsWith("/memfd:")) return `memfd "${name.slice("/memfd:".length)}"`;
  return name === "/dev/zero" ? "" : `${name}, removed`;
}

/** How much of some memory the image holds, in the core of the process and in that of its parent. */
function held({ stored, inherited }: { stored: number; inherited: number }): string {
  return inherited ? `${bytes(stored)} + ${bytes(inherited)} of its parent` : bytes(stored);
}

function describe(process: ProcessImage): string {
  const threads = process.threads.map((thread) => `${thread.tid} ${thread.name}`).join(", ");
  return [
    table([
      [`process ${process.pid}`, process.command],
      ["  program", process.program],
      ["  directory", process.cwd],
      ...(process.stopped ? [["  state", `stopped by ${process.stopped}`]] : []),
      ["  threads", threads],
      ["  memory", `${held(totals(process.memory))} in ${process.regions.length} regions`],
    ]),
    "descriptors",
    descriptorLines(process).replace(/^/gm, "  "),
    ...process.ipc.map(({ words }) => `  ${words}`),
    "files",
    table(process.files.map((file) => [`  ${file.path}`, uses(file)])),
    "regions",
    table(process.regions.map(row)),
  ].join("\n");
}

function uses(file: ImageFile): string {
  const { mapped, open, watched, written, deleted, carried } = file;
  const all = { mapped, open, watched, written, deleted, carried: carried !== "" };
  return Object.entries(all).filter(([, holds]) => holds).map(([use]) => use).join(" ");
}

function row(region: Region): string[] {
  const name = region.path || (["anonymous", "unknown"].includes(region.kind) ? "" : region.kind);
  return [
    `  ${region.start.toString(16)}-${region.end.toString(16)}`,
    region.protection,
    held(region),
    `of ${bytes(Number(region.end - region.start))}`,
    [name, ...region.flags].filter(Boolean).join(" "),
  ];
}
