import { signalName } from "./signals.ts";
import type { Descriptor } from "./process_image.ts";

/** What a person would say about a descriptor of each kind; one that has no words here shows its kind and name. */
const WORDS: Partial<Record<Descriptor["kind"], (descriptor: Descriptor) => string>> = {
  outside: ({ name }) => outside(name),
  file: file,
  device: ({ name }) => name,
  terminal: ({ name }) => `terminal ${name}`,
  "pty master": (d) =>
    list(
      d.pty === undefined ? "master of a pseudoterminal" : `master of /dev/pts/${d.pty}`,
      !!d.waiting && `${plural(d.waiting, "byte")} to be read`,
      !!d.typed && `${plural(d.typed, "byte")} typed`,
    ),
  "pty slave": ({ name, pty }) =>
    pty === undefined ? `terminal ${name}, hung up` : `terminal ${name} of the program's own`,
  pipe: (d) => list(pipe(d), waiting(d, "byte")),
  eventfd: ({ count }) => `eventfd at ${count}`,
  epoll: ({ watches = [] }) => `epoll set of ${watches.length ? watches.join(", ") : "nothing"}`,
  timerfd: timer,
  signalfd: ({ signals = [] }) => `signalfd for ${signals.map(signal).join(", ") || "nothing"}`,
  "unix socket": socket,
  socket: socket,
  pidfd: ({ count }) => count ? "a process that has ended" : "the program's own process",
  inotify: ({ watches = [] }) => `inotify instance, ${plural(watches.length, "watch", "watches")}`,
  netlink: () => "netlink socket",
  queue: ({ name, waiting = 0 }) => `message queue ${name}, ${plural(waiting, "message")} waiting`,
};

/**
 * A descriptor in words. Names are bytes of the program's choice: what a terminal would act on shows as `?`.
 *
 * @param twin The number of another one that dup made of it.
 */
export function descriptorWords(descriptor: Descriptor, twin?: number): string {
  if (twin !== undefined) return `the same as ${twin}`;
  const { kind, name } = descriptor;
  const words = WORDS[kind]?.(descriptor) ?? `${kind} ${name}`;
  // deno-lint-ignore no-control-regex
  return words.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

function list(...parts: (string | undefined | false)[]): string {
  return parts.filter(Boolean).join(", ");
}

function outside(name: string): string {
  const kind = /^(pipe|socket):/.exec(name)?.[1];
  if (kind) return `${kind} that leads outside`;
  return /^\/dev\/(pts\/|tty|console)/.test(name) ? `terminal ${name}` : `${name}, outside`;
}

function file(d: Descriptor): string {
  const { name, size, append, locked } = d;
  if (d.access === "path") return `${name}, as a path only`;
  if (d.directory) return `${name}, directory`;
  const done =
    { "read": "read", "write": "written", "read and write": "read and written" }[d.access];
  return list(name, `${done} at ${d.position} of ${size}`, append && "append", locked && "locked");
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

function pipe(d: Descriptor): string {
  return d.name.startsWith("/") ? `named pipe ${d.name}` : `pipe ${ends(d)}`;
}

function ends({ access, peers = [] }: Descriptor): string {
  const way = access === "read" ? "from" : access === "write" ? "to" : "from and to";
  return peers.length ? `${way} ${peers.join(", ")}` : "whose other end is closed";
}

function waiting({ waiting }: Descriptor, what: string): string | undefined {
  if (!waiting) return undefined;
  return what === ""
    ? `${waiting} waiting`
    : `${waiting} ${what}${waiting === 1 ? "" : "s"} waiting`;
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
  const { protocol, address, peerAddress, peers = [], state } = d;
  const to = peerAddress ?? (peers.length ? peers.join(", ") : undefined);
  const where = [protocol, address, to && `to ${to}`].filter(Boolean).join(" ");
  const rest = state === "listening"
    ? [waiting(d, "")]
    : [state === "connected" && !to && "connected", waiting(d, "byte")];
  return list(state === "listening" ? `${where} listening` : where, ...rest);
}
