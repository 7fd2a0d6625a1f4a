/** A range of a process's memory. */
export interface Region {
  /** First address. */
  start: bigint;
  /** The address after the last. */
  end: bigint;
  /** Protection as /proc/PID/maps shows it, such as `rw-`. */
  protection: string;
  /** What lies there. */
  kind: "anonymous" | "file" | "file shared" | "vdso" | "vvar" | "shared" | "aio" | "unknown";
  /** Further properties: `stack`, `heap`, `growsdown`, `noreserve`, `locked`, ... */
  flags: string[];
  /** The file behind it, or "". */
  path: string;
  /** Whether the image carries that file's contents beside its cores. */
  carried: boolean;
  /** Where in that file it begins, in bytes. */
  offset: bigint;
  /** Bytes of it that the process's core holds; the rest is inherited, or zeros, or the file's. */
  stored: number;
  /** Bytes of it that the core of its parent holds, or of its: they are shared since a fork. */
  inherited: number;
}

/** Regions of one kind, taken together. */
export interface MemoryGroup {
  /** What they are for. `reserved` is what the program has no use for yet; `kernel` are vdso and vvar. */
  kind:
    | "heap"
    | "stack"
    | "thread stacks"
    | "anonymous"
    | "file"
    | "shared file"
    | "shared"
    | "reserved"
    | "kernel"
    | "other";
  /** The file behind them, or "". */
  path: string;
  /** Whether the image carries that file's contents beside its cores. */
  carried: boolean;
  /** How many there are. */
  regions: number;
  /** Bytes of address space. */
  size: number;
  /** Bytes that the process's core holds. */
  stored: number;
  /** Bytes that the core of its parent holds. */
  inherited: number;
}

/** A lock on a file. */
export interface FileLock {
  /** By which call: flock(2), or fcntl(2) for the process (`posix`) or the open file (`ofd`). */
  kind: "flock" | "posix" | "ofd" | "unknown";
  /** Whether nobody else may have one. */
  exclusive: boolean;
  /** The first byte. */
  start: number;
  /** Bytes, 0 for all up to the end, wherever that is. */
  length: number;
}

/** A descriptor of another process of the image. */
export interface DescriptorElsewhere {
  /** The process. */
  pid: number;
  /** The descriptor's number there. */
  fd: number;
}

/** An open descriptor. */
export interface Descriptor {
  /** Its number. */
  fd: number;
  /** What it refers to; `outside` is a pipe, socket or terminal with its other side outside the job. */
  kind:
    | "outside"
    | "file"
    | "device"
    | "terminal"
    | "pipe"
    | "eventfd"
    | "epoll"
    | "timerfd"
    | "signalfd"
    | "unix socket"
    | "socket"
    | "pidfd"
    | "inotify"
    | "netlink"
    | "queue"
    | "pty master"
    | "pty slave"
    | "unknown";
  /** What /proc/PID/fd showed. */
  name: string;
  /** What a person would say about it. */
  words: string;
  /** What it is open for; `path` with O_PATH. */
  access: "read" | "write" | "read and write" | "path";
  /** Whether every write goes to the end. */
  append: boolean;
  /** Whether calls that would have to wait fail instead. */
  nonBlocking: boolean;
  /** Whether the program holds a lock on the file. */
  locked: boolean;
  /** Those locks. */
  locks: FileLock[];
  /** O_* flags of open(2). */
  flags: number;
  /** Whether exec closes it. */
  closeOnExec: boolean;
  /** File offset in bytes. */
  position: number;
  /** Which open file description it belongs to: descriptors that dup made have the same one. */
  description: number;
  /** The processes of the image that share this open file, its own among them, since a fork or by sending it;
   * undefined when it has it for itself. */
  sharedBy?: number[];
  /** Of a file: its size in bytes; undefined where that says nothing, in /proc. */
  size?: number;
  /** Of a file: whether it is a directory. */
  directory?: boolean;
  /** Of a file: whether it had no name any more. */
  deleted?: boolean;
  /** Of a file: whether its contents are in the image. */
  carried?: boolean;
  /** Of a memfd: what is sealed. */
  seals?: string[];
  /** Of a pipe or socket: the descriptors at its other end in the same process. */
  peers?: number[];
  /** Where there are none: those at its other end in other processes. */
  peersElsewhere?: DescriptorElsewhere[];
  /** Of a unix socket: how many descriptors come with what waits. */
  inFlight?: number;
  /** Of a socket that listens: how many may wait. */
  backlog?: number;
  /** Of a connection: whether it comes back reset, its other end being outside of the image, or having reset it. */
  reset?: boolean;
  /** Of a connection: which ways are shut. */
  shut?: "reading" | "writing" | "both";
  /** Of a pipe or socket: bytes that wait to be read; of one that listens: connections that nobody has accepted;
   * of a message queue: messages; of a pseudoterminal's master: bytes of output that it has not read. */
  waiting?: number;
  /** Of a pseudoterminal's master: bytes of input that the other side has not read. */
  typed?: number;
  /** Of a pseudoterminal's master: its size in lines. */
  rows?: number;
  /** And in columns. */
  columns?: number;
  /** Of a pseudoterminal: the number in the name of the slave, /dev/pts/N; none: hung up, its master is gone. */
  pty?: number;
  /** Of a message queue: how many messages it has room for. */
  room?: number;
  /** Of a TCP connection to another process that the image holds itself (`--tcp=repair`): bytes that the program has
   * written and the other side has not acknowledged. */
  unacknowledged?: number;
  /** Of a socket: `TCP`, `UDP`, `unix stream`, `netlink for routes`, ... */
  protocol?: string;
  /** Of a socket. */
  state?: "listening" | "connected" | "bound" | "new";
  /** Of a socket: `127.0.0.1:80`, `[::1]:80`, a path, or `@name`. */
  address?: string;
  /** Of a socket: the other end's address. */
  peerAddress?: string;
  /** Of an eventfd: its count; of a timerfd: expirations that nobody has read; of a pidfd: 1 when its
   * process has ended and nobody can ask for its status any more. */
  count?: number;
  /** Of a pidfd: which other process of the job it is of, or which child that has ended. */
  pid?: number;
  /** Of an eventfd: whether a read takes one from it. */
  semaphore?: boolean;
  /** Of an inotify instance: the paths that it watches, in the order of its watches. */
  paths?: string[];
  /** Of an epoll set: the descriptors that it watches, by the numbers that they had when it was told to; of an inotify instance: the numbers of its watches. */
  watches?: number[];
  /** Of a signalfd: the numbers of its signals. */
  signals?: number[];
  /** Of a timerfd that runs: milliseconds until it expires, or since 1970 when `absolute`, and between expirations. */
  timer?: { next: number; absolute: boolean; interval: number };
}

/** What a process shares with others by System V IPC, shared memory apart. */
export interface IpcObject {
  /** What it is. */
  kind: "semaphores" | "queue";
  /** Its id. */
  id: number;
  /** Its key, 0 for IPC_PRIVATE. */
  key: number;
  /** What a person would say about it. */
  words: string;
  /** Of a set of semaphores: their values. */
  values?: number[];
  /** Of a queue: how many messages wait in it. */
  messages?: number;
}

/** A thread. */
export interface Thread {
  /** Thread id. */
  tid: number;
  /** Name, as /proc/PID/task/TID/comm shows it. */
  name: string;
  /** Address of the instruction that it goes on with; 0 when the image does not say. */
  instruction: bigint;
  /** Whether it is a main thread that has ended before the others. */
  ended: boolean;
  /** Its stack pointer; 0 when the image does not say. */
  stack: bigint;
}

/** A file that a process has mapped or open. */
export interface ImageFile {
  /** Its path. */
  path: string;
  /** Bytes. */
  size: number;
  /** Time of the last change. */
  modified: Date;
  /** Whether some region maps it. */
  mapped: boolean;
  /** Whether some descriptor refers to it. */
  open: boolean;
  /** Whether some inotify instance watches it. */
  watched: boolean;
  /** Whether the process may write it. */
  written: boolean;
  /** Whether it had no name any more. */
  deleted: boolean;
  /** The file in the image's files/ directory that carries its contents, or "". */
  carried: string;
}

/** One process of an image. */
export interface ProcessImage {
  /** The core file. */
  path: string;
  /** Process id as the process itself knows it. */
  pid: number;
  /** Its parent's. */
  parent: number;
  /** Name, as /proc/PID/comm shows it. */
  command: string;
  /** The program's file. */
  program: string;
  /** Working directory. */
  cwd: string;
  /** The signal that had stopped it, null when it was not stopped. */
  stopped: Deno.Signal | null;
  /** Real user and group id. */
  uid: number;
  /** Real group id. */
  gid: number;
  /** Bytes of memory in its core. */
  size: number;
  /** Its memory, by address. */
  regions: Region[];
  /** The same, taken together by what it is for. */
  memory: MemoryGroup[];
  /** Its descriptors, by number. */
  descriptors: Descriptor[];
  /** The System V semaphores and message queues that it uses. */
  ipc: IpcObject[];
  /** Its threads, the main thread first. */
  threads: Thread[];
  /** Its files. */
  files: ImageFile[];
}
