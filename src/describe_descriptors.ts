import type { DescriptorNotes, Holder, JobDescriptors } from "./descriptor_notes.ts";
import { DescriptionKind, FileFlag } from "./format.ts";
import { nameOf } from "./kind_name.ts";
import { descriptorWords } from "./descriptor_words.ts";
import { netlinkDetails, pipeDetails, socketDetails } from "./describe_ends.ts";
import type { Descriptor, FileLock } from "./process_image.ts";

const FD_CLOEXEC = 1;
const O_ACCMODE = 3;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
const O_PATH = 0o10000000;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const ABSOLUTE = 1;
const CLOCK_REALTIME = 0;
const SEALS = ["sealing", "shrinking", "growing", "writing", "later writing", "execution"] as const;
const LOCKS: Record<number, FileLock["kind"]> = { 1: "posix", 2: "flock", 3: "ofd" };

/** The minor number of a terminal's device, which for slaves of pseudoterminals is theirs up to 255. */
function minorOf(device: number): number {
  return (device & 0xff) | (device >>> 12 & 0xfff00);
}

type Details = (job: JobDescriptors, of: Holder) => Partial<Descriptor>;

/** What is known of a kind beyond what all have. */
const DETAILS: Partial<Record<Descriptor["kind"], Details>> = {
  file: fileDetails,
  pipe: pipeDetails,
  inotify: (job, of) => {
    const { notes, index } = job.holders(of).find(({ notes, index }) => notes.inotify.has(index)) ??
      of;
    const all = notes.inotify.get(index) ?? [];
    return {
      watches: all.map(({ number }) => number),
      paths: all.map(({ file }) => notes.files[file - 1]?.path ?? ""),
    };
  },
  "pty master": masterDetails,
  "pty slave": (_, { description: { a } }) => ({ pty: a === 0n ? undefined : minorOf(Number(a)) }),
  queue: (_, { description: { pos, a } }) => ({
    waiting: Number(pos),
    room: Number(a & 0xffffffffn),
  }),
  pidfd: (_, { description: { a, b } }) => ({ count: Number(a), pid: Number(b) || undefined }),
  eventfd: (_, { description: { a, b } }) => ({ count: Number(a), semaphore: b === 1n }),
  epoll: (job, of) => {
    const { notes, index } = job.holders(of).find(({ notes, index }) => notes.watches.has(index)) ??
      of;
    return { watches: (notes.watches.get(index) ?? []).map(({ fd }) => fd) };
  },
  timerfd: timerDetails,
  signalfd: (_, { description: { a } }) => ({
    signals: Array.from({ length: 64 }, (_, i) => i + 1).filter((n) => a >> BigInt(n - 1) & 1n),
  }),
  "unix socket": socketDetails,
  socket: socketDetails,
  netlink: netlinkDetails,
};

function fileDetails(...[, { notes, description }]: Parameters<Details>): Partial<Descriptor> {
  const file = notes.files[description.file - 1];
  if (!file) return {};
  return {
    size: file.flags & FileFlag.LIVE ? undefined : Number(file.size),
    directory: (file.mode & S_IFMT) === S_IFDIR,
    deleted: (file.flags & FileFlag.DELETED) !== 0,
    carried: (file.flags & (FileFlag.CARRIED | FileFlag.MEMORY)) !== 0,
    seals: SEALS.filter((_, i) => file.seals >> i & 1),
  };
}

/** What waits in it is in the core of one of the processes that have it. */
function masterDetails(job: JobDescriptors, of: Holder): Partial<Descriptor> {
  for (const holder of job.holders(of)) {
    const pty = holder.notes.ptys[Number(holder.description.a)];
    if (!pty) continue;
    const { number, rows, columns } = pty;
    return { pty: number, rows, columns, ...holder.notes.typed(holder.description) };
  }
  return { waiting: 0, typed: 0 };
}

function timerDetails(...[, { notes, description }]: Parameters<Details>): Partial<Descriptor> {
  const timer = notes.timerfds[Number(description.a)];
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
}

function accessOf(flags: number): Descriptor["access"] {
  if (flags & O_PATH) return "path";
  return (["read", "write", "read and write", "path"] as const)[flags & O_ACCMODE]!;
}

function locksOf(notes: DescriptorNotes, index: number): FileLock[] {
  return (notes.locks.get(index) ?? []).map(({ kind, exclusive, start, length }) => ({
    kind: LOCKS[kind] ?? "unknown",
    exclusive: exclusive === 1,
    start: Number(start),
    length: Number(length),
  }));
}

/** The descriptors of a process of a job. Throws a RangeError for an index that leads nowhere. */
export function describeDescriptors(pid: number, job: JobDescriptors): Descriptor[] {
  const notes = job.notes.get(pid)!;
  const first = new Map<number, number>();
  return notes.descriptors.map(({ fd, flags, description: index }): Descriptor => {
    const description = notes.descriptions[index];
    if (!description) throw new RangeError(`its descriptor ${fd} is damaged`);
    const kind = nameOf(DescriptionKind, description.kind) as Descriptor["kind"];
    const locks = locksOf(notes, index);
    const descriptor: Descriptor = {
      fd,
      kind,
      name: description.name,
      words: "",
      flags: description.flags,
      access: accessOf(description.flags),
      append: (description.flags & O_APPEND) !== 0,
      nonBlocking: (description.flags & O_NONBLOCK) !== 0,
      closeOnExec: (flags & FD_CLOEXEC) !== 0,
      position: Number(description.pos),
      locked: locks.length > 0,
      locks,
      description: index,
      sharedBy: job.sharing(description),
      ...DETAILS[kind]?.(job, { notes, fd, description, index }),
    };
    descriptor.words = descriptorWords(descriptor, { pid, twin: first.get(index) });
    if (!first.has(index)) first.set(index, fd);
    return descriptor;
  });
}
