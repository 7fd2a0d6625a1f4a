import { dirname, join } from "@std/path";
import { checksum } from "./checksum.ts";
import type { Core } from "./core.ts";
import { FILE, NoteType } from "./format.ts";
import { Library } from "./library.ts";

const CHUNK = 1 << 20;

/** What is wrong with the contents of files that an image carries: every byte is read. */
export async function carriedProblems({ path, notes }: Core): Promise<string[]> {
  const problems: string[] = [];
  using library = new Library();
  for (const file of notes.array(NoteType.FILES, FILE)) {
    if (file.carried === "") continue;
    const problem = await problemOf(library, join(dirname(path), "files"), file);
    if (problem) problems.push(`files/${file.carried} ${problem} (the contents of ${file.path})`);
  }
  return problems;
}

async function problemOf(
  library: Library,
  directory: string,
  file: ReturnType<typeof FILE.decode>,
): Promise<string | undefined> {
  if (/^\.|\//.test(file.carried)) return "is no name of a file";
  const path = join(directory, file.carried);
  const info = await Deno.lstat(path).catch(() => undefined);
  if (!info?.isFile) return "is missing";
  if (info.size !== Number(file.size)) return "has another size";
  const sums = await library.checksums(path, { offset: 0, size: info.size, chunk: CHUNK });
  return checksum(new Uint8Array(sums.buffer)) === file.checksum ? undefined : "is damaged";
}

/** Bytes of the contents of files that an image carries, holes included. */
export function carriedSize({ notes }: Core): number {
  return notes.array(NoteType.FILES, FILE)
    .reduce((sum, { carried, size }) => sum + (carried === "" ? 0 : Number(size)), 0);
}
