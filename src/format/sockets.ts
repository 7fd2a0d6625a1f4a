import { Struct } from "../struct.ts";

// Sockets, and what waits in them: native/format/image.h.

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
  file: "bytes112",
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
