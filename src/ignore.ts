import { innerIds } from "./proc.ts";

/** Bytes that libckpt takes, with the zero at the end. */
const MOST = 1024;

/**
 * Which processes are meant, as CKPT_IGNORE has them. An id is the one that is seen from here; `pid` is the
 * process that is asked, which may live in a pid namespace and know others. Throws a TypeError for what is
 * neither an id nor a name.
 */
export async function ignoreList(
  ignore: readonly (number | string)[] = [],
  pid: number,
): Promise<string> {
  const words = await Promise.all(ignore.map(async (word) => {
    const text = `${word}`;
    if (/^\d+$/.test(text)) return await innerId(Number(text), pid);
    if (text !== "" && typeof word === "string" && !/[,\0]/.test(text)) return text;
    throw new TypeError(`Not a process id or name: ${JSON.stringify(word)}`);
  }));
  const list = words.join(",");
  if (new TextEncoder().encode(list).length >= MOST) {
    throw new TypeError(`Too many processes to ignore: they have more than ${MOST - 1} bytes`);
  }
  return list;
}

/** What the process `other` calls the process `pid`, which may be gone. */
async function innerId(pid: number, other: number): Promise<string> {
  const [own, others] = await Promise.all([innerIds(pid), innerIds(other)]);
  return `${own[others.length - 1] ?? pid}`;
}
