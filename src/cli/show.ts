import { Image } from "../image.ts";
import type { ImageFile, ProcessImage, Region } from "../process_image.ts";
import { threadPlaces } from "../thread_places.ts";
import { readArguments } from "./arguments.ts";
import { bytes, findImage, printJson, short, table, when } from "./common.ts";

/** `ckpt show` */
export async function showCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    flags: ["json", "threads"],
    values: ["dir"],
    operands: [1, 1],
    wanted: "an image or a job",
  });
  const image = await Image.open(await findImage(parsed.operands[0]!, parsed.value("dir")));
  if (parsed.flag("threads")) return await showThreads(image, parsed.flag("json"));
  if (parsed.flag("json")) {
    printJson(image);
    return 0;
  }
  console.log(table([
    ["image", short(image.path)],
    ["job", `${image.job}, image ${image.number}`],
    ["program", image.program],
    ["time", when(image.time)],
    ["size", bytes(image.size)],
    ["made on", `${image.host}, Linux ${image.kernel}`],
    ["id", image.id],
  ]));
  for (const process of image.processes) console.log(`\n${describe(process)}`);
  return 0;
}

async function showThreads(image: Image, json: boolean): Promise<number> {
  const all = await Promise.all(image.processes.map(threadPlaces));
  if (json) printJson(all.flat());
  else {
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
  return 0;
}

function describe(process: ProcessImage): string {
  const threads = process.threads.map((thread) => `${thread.tid} ${thread.name}`).join(", ");
  const descriptors = process.descriptors.map((descriptor) => [
    `  ${descriptor.fd}`,
    descriptor.kind,
    descriptor.kind === "file" ? `at ${descriptor.position}` : "",
    descriptor.name,
  ]);
  return [
    table([
      [`process ${process.pid}`, process.command],
      ["  program", process.program],
      ["  directory", process.cwd],
      ["  threads", threads],
      ["  memory", `${bytes(process.size)} in ${process.regions.length} regions`],
    ]),
    "descriptors",
    table(descriptors),
    "files",
    table(process.files.map((file) => [`  ${file.path}`, uses(file)])),
    "regions",
    table(process.regions.map(row)),
  ].join("\n");
}

function uses(file: ImageFile): string {
  const { mapped, open, written, deleted, carried } = file;
  const all = { mapped, open, written, deleted, carried: carried !== "" };
  return Object.entries(all).filter(([, holds]) => holds).map(([use]) => use).join(" ");
}

function row(region: Region): string[] {
  const name = region.path || (["anonymous", "unknown"].includes(region.kind) ? "" : region.kind);
  return [
    `  ${region.start.toString(16)}-${region.end.toString(16)}`,
    region.protection,
    bytes(region.stored),
    `of ${bytes(Number(region.end - region.start))}`,
    [name, ...region.flags].filter(Boolean).join(" "),
  ];
}
