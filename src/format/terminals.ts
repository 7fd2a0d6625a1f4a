import { Struct } from "../struct.ts";

// Terminals, and what waits in pseudoterminals: native/format/image.h.

/** struct ckpt_terminal. */
export const TERMINAL = new Struct("ckpt_terminal", {
  device: "u32",
  flags: "u32",
  rows: "u32",
  columns: "u32",
  modes: "bytes44",
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
