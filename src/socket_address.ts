import { text } from "./notes.ts";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;

/**
 * A struct sockaddr in words: `127.0.0.1:80`, `[::1]:80`, the path of a unix socket, or `@name` for one without a
 * path; undefined for none.
 */
export function addressWords(bytes: Uint8Array): string | undefined {
  if (bytes.length < 2) return undefined;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (data.getUint16(0, true)) {
    case AF_UNIX:
      return unixName(bytes.subarray(2));
    case AF_INET:
      return bytes.length < 8
        ? undefined
        : `${bytes.subarray(4, 8).join(".")}:${data.getUint16(2)}`;
    case AF_INET6:
      return bytes.length < 24 ? undefined : `[${inet6(data)}]:${data.getUint16(2)}`;
    default:
      return undefined;
  }
}

function unixName(name: Uint8Array): string | undefined {
  if (name.length === 0) return undefined;
  if (name[0] === 0) return `@${text(name.subarray(1))}`;
  return text(name);
}

/** An IPv4 address in IPv6 keeps its dots; else the longest run of zeros, the first of several, is left out. */
function inet6(data: DataView): string {
  const groups = Array.from({ length: 8 }, (_, i) => data.getUint16(8 + 2 * i));
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `::ffff:${[20, 21, 22, 23].map((at) => data.getUint8(at)).join(".")}`;
  }
  const words = (from: number, to = 8) =>
    groups.slice(from, to).map((group) => group.toString(16)).join(":");
  let zeros = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > zeros.length) zeros = { start, length };
  }
  if (zeros.length === 1) return words(0);
  return `${words(0, zeros.start)}::${words(zeros.start + zeros.length)}`;
}
