import { output } from "./paths.ts";

/** The user id that setresuid() takes for the one that there is. */
const NO_CHANGE = 0xffffffff;

const SYMBOLS = {
  ckpt_helper_listen: { parameters: ["buffer", "u32"], result: "i32" },
  ckpt_helper_accept: {
    parameters: ["i32", "i32", "i32", "u32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  ckpt_helper_send: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  ckpt_helper_receive: {
    parameters: ["i32", "buffer", "u32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  ckpt_helper_close: { parameters: ["i32"], result: "i32" },
  ckpt_helper_open_process: { parameters: ["i32"], result: "i32" },
  ckpt_helper_request: {
    parameters: ["i32", "i32", "u64", "u64", "u64"],
    result: "i32",
    nonblocking: true,
  },
  ckpt_helper_hold: {
    parameters: ["i32", "i32", "u64", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  ckpt_helper_kill: { parameters: ["i32", "i32"], result: "i32" },
  ckpt_helper_wait: { parameters: ["i32", "i32"], result: "i32", nonblocking: true },
  ckpt_helper_event: { parameters: [], result: "i32" },
  ckpt_helper_signal_event: { parameters: ["i32"], result: "i32" },
  ckpt_helper_checksums: {
    parameters: ["buffer", "u64", "u64", "u32", "buffer", "u32"],
    result: "i32",
    nonblocking: true,
  },
  ckpt_helper_layout: { parameters: ["buffer", "u32"], result: "i32" },
  ckpt_helper_probe_pagemap_scan: { parameters: [], result: "i32" },
  ckpt_helper_probe_userfaultfd: { parameters: [], result: "i32" },
  ckpt_helper_probe_set_mm: { parameters: [], result: "i32" },
  ckpt_helper_probe_set_tid: { parameters: [], result: "i32", nonblocking: true },
  ckpt_helper_probe_namespace: { parameters: [], result: "i32", nonblocking: true },
  ckpt_helper_probe_namespace_proc: { parameters: [], result: "i32", nonblocking: true },
  ckpt_helper_probe_clocks: { parameters: [], result: "i32", nonblocking: true },
  ckpt_helper_probe_repair: { parameters: [], result: "i32" },
} as const;

/** A negative errno that a native function gave. */
export class NativeError extends Error {
  override name = "NativeError";
  /** The negative errno. */
  readonly errno: number;

  constructor(what: string, errno: number) {
    super(`${what}: ${ERRNO_WORDS[-errno] ?? `error ${-errno}`}`);
    this.errno = errno;
  }
}

/** Where a function of libckpt.so's lies in a process, and where the library begins there. */
export interface FunctionPlace {
  address: bigint;
  library: bigint;
}

/** The errnos that something here decides by. */
export const Errno = {
  PERM: -1,
  SRCH: -3,
  AGAIN: -11,
  BUSY: -16,
  INVAL: -22,
  PIPE: -32,
  CONNRESET: -104,
  TIMEDOUT: -110,
} as const;

const ERRNO_WORDS: Record<number, string> = {
  1: "not permitted",
  2: "no such file",
  3: "no such process",
  4: "interrupted",
  5: "input/output error",
  11: "not now",
  12: "out of memory",
  13: "permission denied",
  16: "busy",
  22: "invalid argument",
  23: "too many open files on this machine",
  24: "too many open files",
  25: "not supported by this kernel",
  28: "no space left",
  32: "the other side has closed",
  38: "not supported by this kernel",
  98: "address in use",
  104: "the other side has closed",
  110: "timed out",
  111: "connection refused",
};

/** The words for a negative errno. */
export function errnoWords(errno: number): string {
  return ERRNO_WORDS[-errno] ?? `error ${-errno}`;
}

/**
 * libckpt_helper.so, loaded. Owned by `using`: a symbol that is called after the library was closed
 * would still run, so nothing else gets hold of one.
 */
export class Library implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  constructor() {
    this.#library = Deno.dlopen(output("libckpt_helper.so"), SYMBOLS);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }

  /** A control socket that listens, as user `uid` (this one by default) where that is allowed, and its cookie. */
  listen(uid = NO_CHANGE): { listener: number; cookie: bigint } {
    const cookie = new BigUint64Array(1);
    const listener = checked(
      "listen",
      this.#library.symbols.ckpt_helper_listen(new Uint8Array(cookie.buffer), uid),
    );
    return { listener, cookie: cookie[0]! };
  }

  /** The connection of process `pid`. Throws ESRCH when it ends first, ETIMEDOUT after `timeout` ms. */
  async accept(
    listener: number,
    from: { pidfd: number; pid: number; uid: number; timeout: number },
  ): Promise<number> {
    const { pidfd, pid, uid, timeout } = from;
    return checked(
      "accept",
      await this.#library.symbols.ckpt_helper_accept(listener, pidfd, pid, uid, timeout),
    );
  }

  /** Sends one message. */
  send(connection: number, message: Uint8Array<ArrayBuffer>): void {
    checked("send", this.#library.symbols.ckpt_helper_send(connection, message, message.length));
  }

  /** One message's length, 0 once the other side has closed. Throws ETIMEDOUT after `timeout` ms, never when negative. */
  async receive(
    connection: number,
    into: { message: Uint8Array<ArrayBuffer>; timeout: number },
  ): Promise<number> {
    const { message, timeout } = into;
    const receive = this.#library.symbols.ckpt_helper_receive;
    return checked("receive", await receive(connection, message, message.length, timeout));
  }

  /** Closes a descriptor that this library gave. */
  close(fd: number): void {
    checked("close", this.#library.symbols.ckpt_helper_close(fd));
  }

  /** A descriptor of a process. */
  openProcess(pid: number): number {
    return checked("pidfd_open", this.#library.symbols.ckpt_helper_open_process(pid));
  }

  /**
   * Queues the control signal: false when the process is not ready for it, being about to start a program. `retake` says
   * where its ckpt_retake() lies, if it is to be called, and where its libckpt.so begins.
   */
  async request(
    pidfd: number,
    to: { pid: number; cookie: bigint; retake?: FunctionPlace },
  ): Promise<boolean> {
    const { pid, cookie, retake: { address, library } = { address: 0n, library: 0n } } = to;
    const ask = this.#library.symbols.ckpt_helper_request;
    const result = await ask(pidfd, pid, cookie, address, library);
    return result !== Errno.AGAIN && checked("rt_tgsigqueueinfo", result) === 0;
  }

  /** Holds a stopped process and asks it: the result, 0 or a negative errno, once `words` say that it is to end. */
  async hold(
    pid: number,
    by: { listener: number; cookie: bigint; words: Int32Array<ArrayBuffer> },
  ): Promise<number> {
    const { listener, cookie, words } = by;
    const shared = new Uint8Array(words.buffer);
    return await this.#library.symbols.ckpt_helper_hold(pid, listener, cookie, shared);
  }

  /** Sends an ordinary signal. */
  kill(pidfd: number, signal: number): void {
    checked("pidfd_send_signal", this.#library.symbols.ckpt_helper_kill(pidfd, signal));
  }

  /** Whether the process has ended; false when `event` came first. */
  async wait(pidfd: number, event: number): Promise<boolean> {
    return checked("poll", await this.#library.symbols.ckpt_helper_wait(pidfd, event)) === 1;
  }

  /** An event for {@linkcode Library.wait}. */
  event(): number {
    return checked("eventfd", this.#library.symbols.ckpt_helper_event());
  }

  /** Signals an event. */
  signalEvent(event: number): void {
    checked("eventfd", this.#library.symbols.ckpt_helper_signal_event(event));
  }

  /** The checksum of each `chunk` bytes of a range of a file. */
  async checksums(
    path: string,
    range: { offset: number; size: number; chunk: number },
  ): Promise<Uint32Array> {
    const sums = new Uint32Array(Math.ceil(range.size / range.chunk));
    const count = checked(
      path,
      await this.#library.symbols.ckpt_helper_checksums(
        new TextEncoder().encode(`${path}\0`),
        BigInt(range.offset),
        BigInt(range.size),
        range.chunk,
        new Uint8Array(sums.buffer),
        sums.length,
      ),
    );
    return sums.subarray(0, count);
  }

  /** Where the C compiler put every field of every struct of the format. */
  layout(): Record<string, { size: number; fields: Record<string, [number, number]> }> {
    const buffer = new Uint8Array(1 << 16);
    const length = checked(
      "layout",
      this.#library.symbols.ckpt_helper_layout(buffer, buffer.length),
    );
    return JSON.parse(new TextDecoder().decode(buffer.subarray(0, length)));
  }

  /** What the kernel allows: 1 for each that works, else a negative errno. */
  async probe(): Promise<Probes> {
    const symbols = this.#library.symbols;
    return {
      pagemapScan: symbols.ckpt_helper_probe_pagemap_scan(),
      userfaultfd: symbols.ckpt_helper_probe_userfaultfd(),
      setMm: symbols.ckpt_helper_probe_set_mm(),
      setTid: await symbols.ckpt_helper_probe_set_tid(),
      namespace: await symbols.ckpt_helper_probe_namespace(),
      namespaceProc: await symbols.ckpt_helper_probe_namespace_proc(),
      clocks: await symbols.ckpt_helper_probe_clocks(),
      repair: symbols.ckpt_helper_probe_repair(),
    };
  }
}

/** The results of the native probes: 1 for each that works, else a negative errno. */
export interface Probes {
  pagemapScan: number;
  userfaultfd: number;
  setMm: number;
  setTid: number;
  namespace: number;
  namespaceProc: number;
  clocks: number;
  repair: number;
}

function checked(what: string, result: number): number {
  if (result < 0) throw new NativeError(what, result);
  return result;
}
