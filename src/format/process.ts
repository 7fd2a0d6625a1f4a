import { Struct } from "../struct.ts";

// A process, its threads and its memory: native/format/image.h.

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
  DROPPABLE: 1 << 20,
} as const;

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
  barriers: "u32",
  stop_signal: "u32",
  keys: "u32",
  orphan: "u32",
  cwd_file: "u32",
  dump_filter: "u32",
  mdwe: "u32",
  merges: "u32",
  pad: "u32",
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
  timer_slack: "u64",
  io_priority: "u32",
  has_pending: "u32",
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
