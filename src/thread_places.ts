import type { ProcessImage, Thread } from "./process_image.ts";
import { Symbols } from "./symbols.ts";

/** Where a thread is. */
export interface ThreadPlace extends Thread {
  /** Its process. */
  pid: number;
  /** The file whose code it runs, if it is a file's. */
  file?: string;
  /** The function that it is in, if the file says. */
  function?: string;
}

/** Where each thread of a process is, by the symbols of the files that are mapped there. */
export async function threadPlaces(process: ProcessImage): Promise<ThreadPlace[]> {
  const known = new Map<string, Symbols | undefined>();
  const places: ThreadPlace[] = [];
  for (const thread of process.threads) {
    const place: ThreadPlace = { pid: process.pid, ...thread };
    places.push(place);
    const at = thread.instruction;
    const region = process.regions.find(({ start, end }) => at >= start && at < end);
    const file = process.files.find(({ path }) => path === region?.path);
    if (!region?.path || !file) continue;
    if (!known.has(file.path)) known.set(file.path, await Symbols.read(file.path, file));
    place.file = file.path;
    place.function = known.get(file.path)?.functionAt(at - region.start + region.offset);
  }
  return places;
}
