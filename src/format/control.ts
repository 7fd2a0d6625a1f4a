import { Struct } from "../struct.ts";

// The control protocol: native/format/control.h.

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
