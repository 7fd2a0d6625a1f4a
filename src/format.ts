import { Struct } from "./struct.ts";

// native/format/image.h and control.h, as this side reads them. One test holds both against each other.

/** The newest format that this version reads. */
export const FORMAT_VERSION = 1;
/** The first bytes of the prologue. */
export const MAGIC = "CKPTIMG\0";
/** Where the prologue is. */
export const PROLOGUE_OFFSET = 64;

/** Types of the notes named CKPT. */
export const NoteType = {
  IMAGE: 0x434b0001,
  PROCESS: 0x434b0002,
  THREADS: 0x434b0003,
  REGIONS: 0x434b0004,
  FILES: 0x434b0005,
  DESCRIPTIONS: 0x434b0006,
  DESCRIPTORS: 0x434b0007,
  SIGACTIONS: 0x434b0008,
  SIGNALS: 0x434b0009,
  RLIMITS: 0x434b000a,
  ITIMERS: 0x434b000b,
  STRINGS: 0x434b000c,
  CHECKSUMS: 0x434b000d,
  GROUPS: 0x434b000e,
  GUARDS: 0x434b000f,
  BLOB: 0x434b0010,
  LOCKS: 0x434b0011,
  TIMERS: 0x434b0012,
  WATCHES: 0x434b0013,
  TIMERFDS: 0x434b0014,
  SOCKETS: 0x434b0015,
  OPTIONS: 0x434b0016,
  CHILDREN: 0x434b001f,
  STOPS: 0x434b001e,
  INOTIFY: 0x434b0017,
  TERMINALS: 0x434b0018,
  PTYS: 0x434b001a,
  TCP: 0x434b001c,
  INHERITED: 0x434b0019,
  SETS: 0x434b0020,
  SEMAPHORES: 0x434b0021,
  QUEUES: 0x434b0022,
} as const;

/** enum ckpt_region_kind. */
export const RegionKind = {
  ANONYMOUS: 1,
  FILE: 2,
  FILE_SHARED: 3,
  VDSO: 4,
  VVAR: 5,
  SHARED: 6,
  AIO: 7,
} as const;

/** enum ckpt_region_flag. */
export const RegionFlag = {
  GROWSDOWN: 1 << 0,
  NORESERVE: 1 << 1,
  LOCKED: 1 << 2,
  HUGEPAGE: 1 << 3,
  NOHUGEPAGE: 1 << 4,
  DONTFORK: 1 << 5,
  DONTDUMP: 1 << 6,
  WIPEONFORK: 1 << 7,
  MERGEABLE: 1 << 8,
  RANDOM: 1 << 9,
  SEQUENTIAL: 1 << 10,
  STACK: 1 << 11,
  HEAP: 1 << 12,
  ON_FAULT: 1 << 13,
  SEALED: 1 << 14,
  HUGETLB: 1 << 15,
} as const;

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

/** enum ckpt_socket_flag. */
export const SocketFlag = {
  RESET: 1 << 0,
  LISTENS: 1 << 1,
  CONNECTED: 1 << 2,
  BOUND: 1 << 3,
  FILE: 1 << 4,
  WAITS: 1 << 5,
  FILTER_LOCKED: 1 << 6,
} as const;

/** struct ckpt_prologue. */
export const PROLOGUE = new Struct("ckpt_prologue", {
  magic: "bytes8",
  version: "u32",
  size: "u32",
  file_size: "u64",
  data_offset: "u64",
  data_size: "u64",
  notes_offset: "u64",
  notes_size: "u64",
  phdrs_offset: "u64",
  phdrs_size: "u64",
  chunk_size: "u32",
  notes_crc: "u32",
  phdrs_crc: "u32",
  prologue_crc: "u32",
});

/** struct ckpt_array. */
export const ARRAY = new Struct("ckpt_array", {
  count: "u32",
  entry_size: "u32",
});

/** struct ckpt_range. */
export const RANGE = new Struct("ckpt_range", {
  start: "u64",
  end: "u64",
});

/** struct ckpt_image. */
export const IMAGE = new Struct("ckpt_image", {
  id: "bytes16",
  parent: "bytes16",
  number: "u64",
  realtime_ns: "i64",
  monotonic_ns: "i64",
  boottime_ns: "i64",
  boot_id: "bytes16",
  snapshot: "u32",
  process_count: "u32",
  leader: "i32",
  page_size: "u32",
  xcr0: "u64",
  cpuid: "u32x8",
  job: "string",
  program: "string",
  kernel: "string",
  host: "string",
  last_pid: "i32",
});

/** struct ckpt_process. */
export const PROCESS = new Struct("ckpt_process", {
  pid: "i32",
  ppid: "i32",
  pgid: "i32",
  sid: "i32",
  starttime: "u64",
  uid: "u32x4",
  gid: "u32x4",
  cap_inheritable: "u64",
  cap_permitted: "u64",
  cap_effective: "u64",
  cap_bounding: "u64",
  cap_ambient: "u64",
  securebits: "u32",
  no_new_privs: "u32",
  dumpable: "u32",
  subreaper: "u32",
  death_signal: "u32",
  thp_disable: "u32",
  timer_slack: "u64",
  umask: "u32",
  nice: "i32",
  personality: "u32",
  oom_score_adj: "i32",
  start_code: "u64",
  end_code: "u64",
  start_data: "u64",
  end_data: "u64",
  start_brk: "u64",
  brk: "u64",
  start_stack: "u64",
  arg_start: "u64",
  arg_end: "u64",
  env_start: "u64",
  env_end: "u64",
  resume: "u64",
  xcomp_perm: "u64",
  command: "string",
  exe: "string",
  cwd: "string",
  root: "string",
  exe_file: "u32",
  thread_count: "u32",
  lock_future: "u32",
  pad: "u32",
  stop_signal: "u32",
  keys: "u32",
  orphan: "u32",
  cwd_file: "u32",
});

/** struct ckpt_thread. */
export const THREAD = new Struct("ckpt_thread", {
  tid: "i32",
  policy: "u32",
  priority: "i32",
  nice: "i32",
  name: "bytes16",
  fs_base: "u64",
  gs_base: "u64",
  robust_list: "u64",
  robust_list_size: "u64",
  clear_child_tid: "u64",
  signal_mask: "u64",
  altstack: "u64",
  altstack_size: "u64",
  altstack_flags: "u32",
  pad: "u32",
  frame: "u64",
  rip: "u64",
  rsp: "u64",
  rbx: "u64",
  rbp: "u64",
  r12: "u64",
  r13: "u64",
  r14: "u64",
  r15: "u64",
  cpus: "bytes128",
  ended: "u32",
  exit_code: "u32",
});

/** struct ckpt_region. */
export const REGION = new Struct("ckpt_region", {
  start: "u64",
  end: "u64",
  offset: "u64",
  prot: "u32",
  flags: "u32",
  kind: "u32",
  file: "u32",
});

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

/** struct ckpt_sigaction. */
export const SIGACTION = new Struct("ckpt_sigaction", {
  signal: "u32",
  pad: "u32",
  handler: "u64",
  flags: "u64",
  restorer: "u64",
  mask: "u64",
});

/** struct ckpt_signal. */
export const SIGNAL = new Struct("ckpt_signal", {
  tid: "i32",
  pad: "u32",
  info: "bytes128",
});

/** struct ckpt_rlimit. */
export const RLIMIT = new Struct("ckpt_rlimit", {
  resource: "u32",
  pad: "u32",
  soft: "u64",
  hard: "u64",
});

/** struct ckpt_itimer. */
export const ITIMER = new Struct("ckpt_itimer", {
  which: "u32",
  pad: "u32",
  interval_us: "i64",
  value_us: "i64",
});

/** struct ckpt_timer. */
export const TIMER = new Struct("ckpt_timer", {
  id: "i32",
  clock: "i32",
  notify: "u32",
  signal: "u32",
  value: "u64",
  tid: "i32",
  overrun: "i32",
  interval_ns: "i64",
  value_ns: "i64",
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

/** struct ckpt_socket. */
export const SOCKET = new Struct("ckpt_socket", {
  domain: "i32",
  type: "i32",
  protocol: "i32",
  flags: "u32",
  inode: "u64",
  peer: "u64",
  shutdown: "u32",
  backlog: "u32",
  waiting: "u32",
  turn: "u32",
  mode: "u32",
  uid: "u32",
  gid: "u32",
  address_size: "u32",
  peer_address_size: "u32",
  state: "u32",
  address: "bytes112",
  peer_address: "bytes112",
  filter: "u64",
  filter_length: "u32",
  pad: "u32",
});

/** struct ckpt_tcp. */
export const TCP = new Struct("ckpt_tcp", {
  inode: "u64",
  data: "u64",
  data_size: "u64",
  unsent: "u32",
  send_seq: "u32",
  receive_seq: "u32",
  options: "u32",
  send_scale: "u32",
  receive_scale: "u32",
  segment: "u32",
  timestamp: "u32",
  window_seq: "u32",
  send_window: "u32",
  send_window_most: "u32",
  receive_window: "u32",
  receive_window_seq: "u32",
  pad: "u32",
});

/** struct ckpt_packet. */
export const PACKET = new Struct("ckpt_packet", {
  size: "u32",
  rights: "u32",
  address_size: "u32",
  pid: "i32",
  uid: "u32",
  gid: "u32",
});

/** struct ckpt_option. */
export const OPTION = new Struct("ckpt_option", {
  socket: "u32",
  level: "i32",
  name: "i32",
  size: "u32",
  value: "bytes24",
});

/** struct ckpt_child. */
export const CHILD = new Struct("ckpt_child", {
  pid: "i32",
  pgid: "i32",
  sid: "i32",
  status: "u32",
});

/** struct ckpt_stop. */
export const STOP = new Struct("ckpt_stop", {
  pid: "i32",
  status: "u32",
  continued: "u32",
});

/** struct ckpt_inotify. */
export const INOTIFY = new Struct("ckpt_inotify", {
  instance: "u32",
  number: "i32",
  mask: "u32",
  file: "u32",
});

/** struct ckpt_terminal. */
export const TERMINAL = new Struct("ckpt_terminal", {
  device: "u32",
  flags: "u32",
  rows: "u32",
  columns: "u32",
  modes: "bytes44",
});

/** struct ckpt_set. */
export const SET = new Struct("ckpt_set", {
  id: "i32",
  key: "i32",
  mode: "u32",
  uid: "u32",
  gid: "u32",
  first: "u32",
  count: "u32",
  pad: "u32",
});

/** struct ckpt_semaphore. */
export const SEMAPHORE = new Struct("ckpt_semaphore", {
  value: "u32",
  adjust: "i32",
});

/** struct ckpt_queue. */
export const QUEUE = new Struct("ckpt_queue", {
  id: "i32",
  key: "i32",
  mode: "u32",
  uid: "u32",
  gid: "u32",
  count: "u32",
  room: "u64",
  data: "u64",
  data_size: "u64",
});

/** struct ckpt_message. */
export const MESSAGE = new Struct("ckpt_message", {
  type: "i64",
  size: "u32",
  pad: "u32",
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

/** enum ckpt_waiting_kind. */
export const WaitingKind = { OUTPUT: 1, LINE: 2, EOF: 3, PART: 4, REST: 5 } as const;

/** struct ckpt_pty. */
export const PTY = new Struct("ckpt_pty", {
  device: "u32",
  number: "u32",
  flags: "u32",
  status: "u32",
  session: "i32",
  foreground: "i32",
  mode: "u32",
  uid: "u32",
  gid: "u32",
  rows: "u32",
  columns: "u32",
  width: "u32",
  height: "u32",
  modes: "bytes44",
});

/** struct ckpt_waiting. */
export const WAITING = new Struct("ckpt_waiting", { kind: "u32", size: "u32" });

/** struct ckpt_request. */
export const REQUEST = new Struct("ckpt_request", {
  size: "u32",
  version: "u32",
  op: "u32",
  flags: "u32",
  timeout_ms: "u32",
  files: "bytes1024",
  call_known: "u32",
  call_number: "u32",
  call_rip: "u64",
  call_rsp: "u64",
  stop_signal: "u32",
  pad: "u32",
  ignore: "bytes1024",
});

/** struct ckpt_report. */
export const REPORT = new Struct("ckpt_report", {
  size: "u32",
  version: "u32",
  kind: "u32",
  error: "i32",
  number: "u64",
  bytes: "u64",
  total: "u64",
  pause_ns: "u64",
  total_ns: "u64",
  text: "bytes4096",
});

/** The control signal. */
export const CONTROL_SIGNAL = 32;
/** What stands beside AT_NULL in the auxiliary vector of a restarted process. */
export const AUXV_MARK = 0x74706b63;
/** The version of requests and reports. */
export const CONTROL_VERSION = 1;
/** What to ask for. */
export const RequestOp = { CHECKPOINT: 1, JOIN: 2 } as const;
/** How. */
export const RequestFlag = { KILL: 1 << 0, TCP_REPAIR: 1 << 1 } as const;
/** What a report says. */
export const ReportKind = {
  PROGRESS: 1,
  DONE: 2,
  FAILED: 3,
  JOINED: 4,
  DESCRIBED: 5,
  READY: 7,
} as const;
