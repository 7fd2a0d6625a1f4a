import { signalName } from "./signals.ts";
import type { Descriptor, DescriptorElsewhere, FileLock } from "./process_image.ts";

/** More than these are counted. */
const LISTED = 3;

const O_DIRECT = 0o40000;
const O_SYNC = 0o4010000;
const O_ASYNC = 0o20000;

/** What the kernel writes behind a name that is gone. */
const REMOVED = / \(deleted\)$/;

/** What a person would say about a descriptor of each kind; one that has no words here shows its kind and name. */
const WORDS: Partial<Record<Descriptor["kind"], (descriptor: Descriptor) => string>> = {
  outside: ({ name }) => outside(name),
  file,
  device: ({ name }) => name,
  terminal: ({ name }) => `terminal ${name}`,
  "pty master": (d) =>
    list(
      d.pty === undefined ? "master of a pseudoterminal" : `master of /dev/pts/${d.pty}`,
      !!d.columns && `${d.columns}x${d.rows}`,
      !!d.waiting && `${plural(d.waiting, "byte")} to be read`,
      !!d.typed && `${plural(d.typed, "byte")} typed`,
    ),
  "pty slave": ({ name, pty }) =>
    pty === undefined
      ? `terminal ${name.replace(REMOVED, "")}, hung up`
      : `terminal ${name} of the program's own`,
  pipe: (d) => list(pipe(d), waiting(d)),
  eventfd: ({ count, semaphore }) => list(`eventfd at ${count}`, semaphore && "a semaphore"),
  epoll: ({ watches = [] }) => `epoll set of ${watches.length ? ranges(watches) : "nothing"}`,
  timerfd: timer,
  signalfd: ({ signals = [] }) => `signalfd for ${signals.map(signal).join(", ") || "nothing"}`,
  "unix socket": socket,
  socket,
  pidfd: ({ count, pid }) =>
    count ? "a process that has ended" : pid ? `process ${pid}` : "the program's own process",
  inotify: ({ paths = [] }) => `inotify instance for ${some(paths) || "nothing"}`,
  netlink: ({ protocol = "netlink" }) => protocol.replace("netlink", "netlink socket"),
  queue: ({ name, waiting = 0, room }) =>
    `message queue ${name}, ${plural(waiting, "message")} waiting, room for ${room}`,
};

/**
 * A descriptor in words. Names are bytes of the program's choice: what a terminal would act on shows as `?`.
 *
 * @param of The process that has it, and the number of another descriptor that dup made of it there.
 */
export function descriptorWords(
  descriptor: Descriptor,
  { pid, twin }: { pid?: number; twin?: number } = {},
): string {
  if (twin !== undefined) return `the same as ${twin}`;
  const { kind, name, flags } = descriptor;
  const words = list(
    WORDS[kind]?.(descriptor) ?? `${kind} ${name}`,
    (flags & O_ASYNC) !== 0 && "signals when it is ready",
    shared(descriptor, pid),
  );
  // deno-lint-ignore no-control-regex
  return words.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

function list(...parts: (string | undefined | false)[]): string {
  return parts.filter(Boolean).join(", ");
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** The first of several, and how many more there are. */
function some(words: readonly string[]): string {
  const shown = words.slice(0, words.length > LISTED + 1 ? LISTED : undefined);
  const more = words.length - shown.length;
  if (more > 0) return `${shown.join(", ")} and ${more} more`;
  return shown.length < 2 ? shown.join() : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

/** Numbers in order, where three or more follow each other the first and the last of them. */
function ranges(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    if (end - i < 2) end = i;
    parts.push(end > i ? `${sorted[i]} to ${sorted[end]}` : `${sorted[i]}`);
    i = end + 1;
  }
  return parts.join(", ");
}

function shared({ sharedBy }: Descriptor, own?: number): string | undefined {
  const others = sharedBy?.filter((pid) => pid !== own) ?? [];
  if (others.length === 0) return undefined;
  if (others.length > LISTED) return `shared with ${others.length} other processes`;
  return `shared with ${others.length > 1 ? "processes" : "process"} ${some(others.map(String))}`;
}

function outside(name: string): string {
  const kind = /^(pipe|socket):/.exec(name)?.[1];
  if (kind) return `${kind} that leads outside`;
  return /^\/dev\/(pts\/|tty|console)/.test(name) ? `terminal ${name}` : `${name}, outside`;
}

function file(d: Descriptor): string {
  const { size, append, deleted, carried, flags, seals = [] } = d;
  const name = nameOfFile(d);
  if (d.access === "path") return `${name}, as a path only`;
  if (d.directory) return `${name}, directory`;
  const done =
    { "read": "read", "write": "written", "read and write": "read and written" }[d.access];
  return list(
    name,
    deleted && !name.startsWith("memfd") && "removed",
    `${done} at ${d.position}${size === undefined ? "" : ` of ${size}`}`,
    append && "append",
    (flags & O_DIRECT) !== 0 && "direct",
    (flags & O_SYNC) !== 0 && "synchronous",
    seals.length > 0 && `sealed against ${some(seals)}`,
    ...d.locks.slice(0, LISTED).map(lock),
    d.locks.length > LISTED && `${d.locks.length - LISTED} more locks`,
    carried && "contents in the image",
  );
}

function nameOfFile({ name, deleted }: Descriptor): string {
  const plain = deleted ? name.replace(REMOVED, "") : name;
  return plain.startsWith("/memfd:") ? `memfd "${plain.slice("/memfd:".length)}"` : plain;
}

function lock({ kind, exclusive, start, length }: FileLock): string {
  const what = kind === "flock" || (start === 0 && length === 0)
    ? "locked"
    : `bytes ${start} to ${length ? start + length - 1 : "the end"} locked`;
  return exclusive ? what : `${what} for sharing`;
}

function pipe(d: Descriptor): string {
  return d.name.startsWith("/") ? `named pipe ${d.name}` : `pipe ${ends(d)}`;
}

function ends(d: Descriptor): string {
  const way = d.access === "read" ? "from" : d.access === "write" ? "to" : "from and to";
  const other = otherEnds(d);
  return other ? `${way} ${other}` : "whose other end is closed";
}

function otherEnds({ peers = [], peersElsewhere = [] }: Descriptor): string {
  if (peers.length > 0) return peers.join(", ");
  return some(peersElsewhere.map(({ fd, pid }: DescriptorElsewhere) => `${fd} of process ${pid}`));
}

function waiting({ waiting, inFlight }: Descriptor): string | undefined {
  const bytes = waiting ? `${plural(waiting, "byte")} waiting` : undefined;
  return inFlight ? list(bytes, `${plural(inFlight, "descriptor")} in flight`) : bytes;
}

function timer({ timer, count }: Descriptor): string {
  const state = !timer
    ? "not running"
    : timer.absolute
    ? `at ${new Date(timer.next).toISOString()}`
    : `in ${seconds(timer.next)} s`;
  return list(
    `timer, ${state}`,
    timer?.interval ? `every ${seconds(timer.interval)} s` : undefined,
    count ? `${count} unread` : undefined,
  );
}

function seconds(ms: number): string {
  return String(Number((ms / 1000).toFixed(3)));
}

function signal(number: number): string {
  return signalName(number) ?? String(number);
}

function socket(d: Descriptor): string {
  const { protocol, address, peerAddress, state, shut } = d;
  const to = peerAddress ?? otherEnds(d);
  const where = [protocol, address, to && `to ${to}`].filter(Boolean).join(" ");
  if (state === "listening") {
    return list(`${where} listening`, !!d.waiting && `${d.waiting} waiting`);
  }
  const held = d.unacknowledged !== undefined && "comes back with --tcp=repair";
  const alone = state === "connected" &&
    (held || (d.reset ? "comes back reset" : !to && "its other end is closed"));
  return list(
    where,
    alone || (shut && `shut for ${shut === "both" ? "reading and writing" : shut}`),
    waiting(d),
    !!d.unacknowledged && `${d.unacknowledged} bytes on the way`,
  );
}
