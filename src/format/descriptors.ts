import { Struct } from "../struct.ts";

// Files and descriptors: native/format/image.h.

/** enum ckpt_file_flag. */
export const FileFlag = {
  DELETED: 1 << 0,
  CARRIED: 1 << 1,
  WRITTEN: 1 << 2,
  MAPPED: 1 << 3,
  OPEN: 1 << 4,
  MEMORY: 1 << 5,
  SEGMENT: 1 << 6,
  SHM: 1 << 7,
  HUGETLB: 1 << 8,
  WATCHED: 1 << 9,
  LIVE: 1 << 10,
  SPARE: 1 << 11,
} as const;

/** enum ckpt_description_kind. */
export const DescriptionKind = {
  OUTSIDE: 1,
  FILE: 2,
  DEVICE: 3,
  TERMINAL: 4,
  PIPE: 5,
  EVENTFD: 6,
  EPOLL: 7,
  TIMERFD: 8,
  SIGNALFD: 9,
  UNIX_SOCKET: 10,
  SOCKET: 11,
  PIDFD: 12,
  INOTIFY: 13,
  NETLINK: 14,
  QUEUE: 15,
  PTY_MASTER: 16,
  PTY_SLAVE: 17,
} as const;

/** struct ckpt_file. */
export const FILE = new Struct("ckpt_file", {
  dev: "u64",
  ino: "u64",
  size: "u64",
  mtime_ns: "i64",
  rdev: "u64",
  mode: "u32",
  flags: "u32",
  path: "string",
  carried: "string",
  seals: "u32",
  checksum: "u32",
  write_hint: "u64",
});

/** struct ckpt_description. */
export const DESCRIPTION = new Struct("ckpt_description", {
  kind: "u32",
  flags: "u32",
  pos: "u64",
  a: "u64",
  b: "u64",
  data: "u64",
  data_size: "u64",
  file: "u32",
  owner: "i32",
  signal: "i32",
  name: "string",
  shared: "u32",
  owner_type: "u32",
});

/** struct ckpt_descriptor. */
export const DESCRIPTOR = new Struct("ckpt_descriptor", {
  fd: "i32",
  flags: "u32",
  description: "u32",
});

/** struct ckpt_lock. */
export const LOCK = new Struct("ckpt_lock", {
  kind: "u32",
  exclusive: "u32",
  description: "u32",
  pad: "u32",
  start: "u64",
  length: "u64",
});

/** struct ckpt_watch. */
export const WATCH = new Struct("ckpt_watch", {
  set: "u32",
  events: "u32",
  data: "u64",
  fd: "i32",
  target: "u32",
  pid: "i32",
  pad: "u32",
});

/** struct ckpt_timerfd. */
export const TIMERFD = new Struct("ckpt_timerfd", {
  clock: "i32",
  flags: "u32",
  ticks: "u64",
  value_ns: "i64",
  interval_ns: "i64",
});

/** struct ckpt_inotify. */
export const INOTIFY = new Struct("ckpt_inotify", {
  instance: "u32",
  number: "i32",
  mask: "u32",
  file: "u32",
});

/** struct ckpt_notification. */
export const NOTIFICATION = new Struct("ckpt_notification", {
  notify: "u32",
  signal: "u32",
  value: "u64",
  socket: "i32",
  cookie: "bytes32",
  pad: "u32",
});
