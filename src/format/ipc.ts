import { Struct } from "../struct.ts";

// System V semaphores and message queues: native/format/image.h.

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
