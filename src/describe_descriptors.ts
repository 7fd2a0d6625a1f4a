import type { Core } from "./core.ts";
import { descriptorWords } from "./descriptor_words.ts";
import {
  DESCRIPTION,
  DescriptionKind,
  DESCRIPTOR,
  FILE,
  INOTIFY,
  LOCK,
  NoteType,
  PACKET,
} from "./format.ts";
import { PTY, SOCKET, SocketFlag, TIMERFD, WAITING, WaitingKind, WATCH } from "./format.ts";
import { nameOf } from "./kind_name.ts";
import type { Descriptor } from "./process_image.ts";
import { addressWords } from "./socket_address.ts";

const FD_CLOEXEC = 1;
const O_ACCMODE = 3;
const O_APPEND = 0o2000;
const O_PATH = 0o10000000;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const ABSOLUTE = 1;
const CLOCK_REALTIME = 0;
const TRANSPORTS: Record<number, string> = { 1: "stream", 2: "datagram", 5: "packet" };
const AF_UNIX = 1;
const PIPE_PACKETS = 1n << 32n;

type Description = ReturnType<typeof DESCRIPTION.decode>;
type Socket = ReturnType<typeof SOCKET.decode>;

/** What the notes of one process say about its descriptors; all that is looked for is found by a key. */
class DescriptorNotes {
  readonly descriptors;
  readonly descriptions;
  readonly files;
  readonly sockets;
  readonly timerfds;
  readonly ptys;
  /** By set. */
  readonly watches;
  /** By instance. */
  readonly inotify;
  /** Descriptions with a lock. */
  readonly locked: ReadonlySet<number>;
  /** Descriptors by what `endOf` says of them: the ends of pipes, and sockets. */
  readonly ends: ReadonlyMap<string, { fd: number; description: Description }[]>;
  readonly #blob: Uint8Array;

  constructor({ notes }: Core) {
    this.descriptors = notes.array(NoteType.DESCRIPTORS, DESCRIPTOR);
    this.descriptions = notes.array(NoteType.DESCRIPTIONS, DESCRIPTION);
    this.files = notes.array(NoteType.FILES, FILE);
    this.sockets = notes.array(NoteType.SOCKETS, SOCKET);
    this.timerfds = notes.array(NoteType.TIMERFDS, TIMERFD);
    this.ptys = notes.array(NoteType.PTYS, PTY);
    this.watches = Map.groupBy(notes.array(NoteType.WATCHES, WATCH), ({ set }) => set);
    this.inotify = Map.groupBy(
      notes.array(NoteType.INOTIFY, INOTIFY),
      ({ instance }) => instance,
    );
    this.locked = new Set(notes.array(NoteType.LOCKS, LOCK).map(({ description }) => description));
    const all = this.descriptors.flatMap(({ fd, description: index }) => {
      const description = this.descriptions[index];
      return description ? [{ fd, description }] : [];
    });
    this.ends = Map.groupBy(all, ({ description }) => this.#endOf(description));
    this.#blob = notes.bytes(NoteType.BLOB);
  }

  #endOf({ kind, a }: Description): string {
    const { PIPE, SOCKET, UNIX_SOCKET } = DescriptionKind;
    if (kind === PIPE) return `pipe ${a}`;
    return kind === SOCKET || kind === UNIX_SOCKET
      ? `socket ${this.sockets[Number(a)]?.inode}`
      : "";
  }

  /** The bytes that wait in a pseudoterminal, both ways; nothing where another process has saved them. */
  typed({ data, data_size }: Description): { waiting: number; typed: number } {
    const sum = { waiting: 0, typed: 0 };
    const all = this.#blob.subarray(Number(data), Number(data + data_size));
    for (let at = 0; at + WAITING.size <= all.length;) {
      const { kind, size } = WAITING.decode(all.subarray(at));
      sum[kind === WaitingKind.OUTPUT ? "waiting" : "typed"] += size;
      at += WAITING.size + size;
    }
    return sum;
  }

  /** The bytes of all packets that wait. */
  waiting({ data, data_size }: Description): number {
    let bytes = 0;
    const all = this.#blob.subarray(Number(data), Number(data + data_size));
    for (let at = 0; at + PACKET.size <= all.length;) {
      const packet = PACKET.decode(all.subarray(at));
      bytes += packet.size;
      at += PACKET.size + 4 * packet.rights + packet.address_size + packet.size;
    }
    return bytes;
  }
}

/** The minor number of a terminal's device, which for slaves of pseudoterminals is theirs up to 255. */
function minorOf(device: number): number {
  return (device & 0xff) | (device >>> 12 & 0xfff00);
}

type Details = (
  notes: DescriptorNotes,
  description: Description,
  index: number,
) => Partial<Descriptor> | undefined;

/** What is known of a kind beyond what all have. */
const DETAILS: Partial<Record<Descriptor["kind"], Details>> = {
  file: ({ files }, { file }) => {
    const found = files[file - 1];
    return found && { size: Number(found.size), directory: (found.mode & S_IFMT) === S_IFDIR };
  },
  pipe: (notes, { a, flags }) => {
    const all = notes.ends.get(`pipe ${a}`) ?? [];
    const contents = new Set(all.map(({ description }) => description));
    const waitingIn = (pipe: Description) =>
      pipe.b & PIPE_PACKETS ? notes.waiting(pipe) : Number(pipe.data_size);
    return {
      peers: all.filter(({ description }) => isOtherEnd(description.flags, flags)).map(({ fd }) =>
        fd
      ),
      waiting: [...contents].reduce((sum, pipe) => sum + waitingIn(pipe), 0),
    };
  },
  inotify: ({ inotify }, _, index) => ({
    watches: (inotify.get(index) ?? []).map(({ number }) => number),
  }),
  "pty master": (notes, description) => ({
    pty: notes.ptys[Number(description.a)]?.number,
    ...notes.typed(description),
  }),
  "pty slave": (_, { a }) => ({ pty: a === 0n ? undefined : minorOf(Number(a)) }),
  queue: (_, { pos }) => ({ waiting: Number(pos) }),
  pidfd: (_, { a }) => ({ count: Number(a) }),
  eventfd: (_, { a }) => ({ count: Number(a) }),
  epoll: ({ watches }, _, index) => ({ watches: (watches.get(index) ?? []).map(({ fd }) => fd) }),
  timerfd: ({ timerfds }, { a }) => {
    const timer = timerfds[Number(a)];
    if (!timer) return {};
    const { clock, flags, ticks, value_ns, interval_ns } = timer;
    return {
      count: Number(ticks),
      timer: value_ns === 0n ? undefined : {
        next: Number(value_ns) / 1e6,
        absolute: clock === CLOCK_REALTIME && (flags & ABSOLUTE) !== 0,
        interval: Number(interval_ns) / 1e6,
      },
    };
  },
  signalfd: (_, { a }) => ({
    signals: Array.from({ length: 64 }, (_, i) => i + 1).filter((n) => a >> BigInt(n - 1) & 1n),
  }),
  "unix socket": socketDetails,
  socket: socketDetails,
};

function isOtherEnd(flags: number, own: number): boolean {
  return (own & O_ACCMODE) === 2 || (flags & O_ACCMODE) !== (own & O_ACCMODE);
}

function socketDetails(notes: DescriptorNotes, description: Description): Partial<Descriptor> {
  const socket = notes.sockets[Number(description.a)];
  if (!socket) return {};
  const { flags, peer } = socket;
  const listening = (flags & SocketFlag.LISTENS) !== 0;
  return {
    protocol: protocolOf(socket),
    state: listening
      ? "listening"
      : flags & SocketFlag.CONNECTED
      ? "connected"
      : flags & SocketFlag.BOUND
      ? "bound"
      : "new",
    address: addressWords(socket.address.subarray(0, socket.address_size)),
    peerAddress: addressWords(socket.peer_address.subarray(0, socket.peer_address_size)),
    peers: peer === 0n ? [] : (notes.ends.get(`socket ${peer}`) ?? []).map(({ fd }) => fd),
    waiting: listening ? socket.waiting : notes.waiting(description),
  };
}

function protocolOf({ domain, type }: Socket): string {
  if (domain === AF_UNIX) return `unix ${TRANSPORTS[type] ?? "socket"}`;
  return type === 1 ? "TCP" : "UDP";
}

function accessOf(flags: number): Descriptor["access"] {
  if (flags & O_PATH) return "path";
  return (["read", "write", "read and write", "path"] as const)[flags & O_ACCMODE]!;
}

/** The descriptors of a process. Throws a RangeError for an index that leads nowhere. */
export function describeDescriptors(core: Core): Descriptor[] {
  const notes = new DescriptorNotes(core);
  const first = new Map<number, number>();
  return notes.descriptors.map(({ fd, flags, description: index }): Descriptor => {
    const description = notes.descriptions[index];
    if (!description) throw new RangeError(`its descriptor ${fd} is damaged`);
    const kind = nameOf(DescriptionKind, description.kind) as Descriptor["kind"];
    const descriptor: Descriptor = {
      fd,
      kind,
      name: description.name,
      words: "",
      flags: description.flags,
      access: accessOf(description.flags),
      append: (description.flags & O_APPEND) !== 0,
      closeOnExec: (flags & FD_CLOEXEC) !== 0,
      position: Number(description.pos),
      locked: notes.locked.has(index),
      description: index,
      ...DETAILS[kind]?.(notes, description, index),
    };
    descriptor.words = descriptorWords(descriptor, first.get(index));
    if (!first.has(index)) first.set(index, fd);
    return descriptor;
  });
}
