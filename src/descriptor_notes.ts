import type { Core } from "./core.ts";
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
import { PTY, SOCKET, TCP, TIMERFD, WAITING, WaitingKind, WATCH } from "./format.ts";

/** One open file. */
export type Description = ReturnType<typeof DESCRIPTION.decode>;

/** What the notes of one process say about its descriptors; all that is looked for is found by a key. */
export class DescriptorNotes {
  /** The process. */
  readonly pid: number;
  readonly descriptors;
  readonly descriptions;
  readonly files;
  readonly sockets;
  readonly timerfds;
  readonly ptys;
  /** By inode of the socket. */
  readonly tcp;
  /** By set. */
  readonly watches;
  /** By instance. */
  readonly inotify;
  /** By description. */
  readonly locks;
  readonly #blob: Uint8Array;

  constructor({ notes, process }: Core) {
    this.pid = process.pid;
    this.descriptors = notes.array(NoteType.DESCRIPTORS, DESCRIPTOR);
    this.descriptions = notes.array(NoteType.DESCRIPTIONS, DESCRIPTION);
    this.files = notes.array(NoteType.FILES, FILE);
    this.sockets = notes.array(NoteType.SOCKETS, SOCKET);
    this.timerfds = notes.array(NoteType.TIMERFDS, TIMERFD);
    this.ptys = notes.array(NoteType.PTYS, PTY);
    this.tcp = new Map(notes.array(NoteType.TCP, TCP).map((tcp) => [tcp.inode, tcp]));
    this.watches = Map.groupBy(notes.array(NoteType.WATCHES, WATCH), ({ set }) => set);
    this.inotify = Map.groupBy(
      notes.array(NoteType.INOTIFY, INOTIFY),
      ({ instance }) => instance,
    );
    this.locks = Map.groupBy(notes.array(NoteType.LOCKS, LOCK), ({ description }) => description);
    this.#blob = notes.bytes(NoteType.BLOB);
  }

  /** What tells pipes and sockets apart: a socket's own, while the ends of a pipe have the same. "" for all others. */
  keyOf({ kind, a }: Description): string {
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

  /** The bytes of all packets that wait, and the descriptors that come with them. */
  packets({ data, data_size }: Description): { waiting: number; inFlight: number } {
    const sum = { waiting: 0, inFlight: 0 };
    const all = this.#blob.subarray(Number(data), Number(data + data_size));
    for (let at = 0; at + PACKET.size <= all.length;) {
      const packet = PACKET.decode(all.subarray(at));
      sum.waiting += packet.size;
      sum.inFlight += packet.rights;
      at += PACKET.size + 4 * packet.rights + packet.address_size + packet.size;
    }
    return sum;
  }
}

/** A descriptor of some process of an image. */
export interface Holder {
  notes: DescriptorNotes;
  fd: number;
  description: Description;
  /** Of the description in its process. */
  index: number;
}

/** The descriptors of all processes of an image, which lead to each other. */
export class JobDescriptors {
  /** By process. */
  readonly notes: ReadonlyMap<number, DescriptorNotes>;
  /** By what `keyOf` says. */
  readonly #ends: ReadonlyMap<string, Holder[]>;
  readonly #shared: ReadonlyMap<number, Holder[]>;
  readonly #sharing = new Map<number, number[]>();

  constructor(cores: readonly Core[]) {
    const all = cores.map((core) => new DescriptorNotes(core));
    this.notes = new Map(all.map((notes) => [notes.pid, notes]));
    const holders = all.flatMap((notes) =>
      notes.descriptors.flatMap(({ fd, description: index }): Holder[] => {
        const description = notes.descriptions[index];
        return description ? [{ notes, fd, description, index }] : [];
      })
    );
    const ends = holders.filter(({ notes, description }) => notes.keyOf(description) !== "");
    this.#ends = Map.groupBy(ends, ({ notes, description }) => notes.keyOf(description));
    const shared = holders.filter(({ description }) => description.shared !== 0);
    this.#shared = Map.groupBy(shared, ({ description }) => description.shared);
    for (const [id, of] of this.#shared) {
      this.#sharing.set(id, [...new Set(of.map(({ notes }) => notes.pid))]);
    }
  }

  /** Who has an end of a pipe, or a socket. */
  ends(key: string): readonly Holder[] {
    return this.#ends.get(key) ?? [];
  }

  /** All who have the same open file: what waits in it, and what it watches, is in the core of one. */
  holders(one: Holder): readonly Holder[] {
    return this.#shared.get(one.description.shared) ?? [one];
  }

  /** The processes that share an open file, undefined when one has it for itself. */
  sharing({ shared }: Description): number[] | undefined {
    return this.#sharing.get(shared);
  }
}
