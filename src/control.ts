import { delay } from "@std/async/delay";
import { CheckpointError } from "./errors.ts";
import { CONTROL_VERSION, REPORT, ReportKind, REQUEST, RequestFlag, RequestOp } from "./format.ts";
import { Hold } from "./hold.ts";
import { ignoreList } from "./ignore.ts";
import { Errno, errnoWords, type FunctionPlace, Library, NativeError } from "./library.ts";
import { text } from "./notes.ts";
import {
  identify,
  isProcess,
  livingThread,
  type ProcessId,
  readProc,
  readStat,
  readStatus,
} from "./proc.ts";
import { Symbols } from "./symbols.ts";
import { filePatterns, type WithFiles } from "./with_files.ts";

/** How far a checkpoint is. */
export interface Progress {
  /** Bytes written so far. */
  bytes: number;
  /** Bytes to write, at the most. */
  total: number;
}

/** What a process answered. */
export interface Report {
  kind: "done" | "failed" | "ready";
  /** Negative errno, when it failed. */
  errno: number;
  /** The image's number, or the program's process id. */
  number: number;
  /** Bytes in the image. */
  bytes: number;
  /** Nanoseconds that the program stood still. */
  pauseNs: number;
  /** Nanoseconds in all. */
  totalNs: number;
  /** The image's path, or what went wrong. */
  text: string;
}

/** What to ask of a process. */
export interface RequestOptions {
  /** Whether it is to end once the image is on disk. */
  kill?: boolean;
  /** Milliseconds to wait for it to answer and then for its threads to stop. */
  timeout?: number;
  /** Of which open files it carries the contents. */
  withFiles?: WithFiles;
  /** Whether it holds TCP connections to other processes. */
  tcp?: "repair";
  /** Which descendants are left out. */
  ignore?: readonly (number | string)[];
  /** Called while the image is written. */
  onProgress?: (progress: Progress) => void;
}

/** Milliseconds for a process to answer: it may be in an uninterruptible wait. */
const ANSWER = 10_000;

/** Milliseconds after which it is asked again, if the request has got lost: another thread has called exec. */
const LOST = 1000;

/** The control signal in a set of signals. */
const CONTROL_BIT = 31n;

/** Milliseconds between requests to a program that is in the middle of what cannot be saved. */
const PAUSE_MOST = 200;

/** Asks a process that runs under libckpt for a checkpoint. Throws a CheckpointError. */
export async function requestCheckpoint(
  process: ProcessId,
  options: RequestOptions = {},
): Promise<Report> {
  const { pid } = process;
  const status = await readStatus(pid);
  const name = status ? `${status.name} (${pid})` : `process ${pid}`;
  const refuse = (why: string, details: { cause?: unknown; errno?: number } = {}) =>
    new CheckpointError(`Cannot checkpoint ${name}: ${why}`, { pid, ...details });

  const patience = options.timeout ?? ANSWER;
  using library = new Library();
  let pidfd = -1;
  let asked: Asked | undefined;
  try {
    pidfd = library.openProcess(pid);
    // Only now is it certain which process the descriptor refers to.
    if (!status || (await identify(pid))?.startTime !== process.startTime) {
      throw refuse("it has ended");
    }
    if (await stateOf(pid) === "t") {
      throw refuse("a debugger has stopped it (let it go on there first)");
    }
    asked = { pidfd, pid, uid: status.uid, end: performance.now() + patience, held: false };
    for (let pause = 1;; pause = Math.min(2 * pause, PAUSE_MOST)) {
      const report = await converse(library, asked, options);
      if (report?.kind === "failed") {
        const passes = report.errno === Errno.AGAIN && performance.now() + pause < asked.end;
        if (!passes) throw refuse(report.text, { errno: report.errno });
        // It needs to run on for a moment before it can be saved.
        await delay(pause);
        continue;
      }
      if (report) {
        // Its end comes after its report: until then its id is taken.
        if (options.kill) await library.wait(pidfd, -1);
        return report;
      }
      // A program that starts another by exec meanwhile takes its checkpoint with it.
      if (!await isProcess(process)) throw refuse("it ended before its image was complete");
      if (performance.now() > asked.end) throw refuse("it starts one program after the other");
    }
  } catch (cause) {
    if (!(cause instanceof NativeError)) throw cause;
    // One that was held is still on its way back into its stop.
    const why = asked?.held || await stateOf(pid) === "T"
      ? `${whyStopped(cause.errno, patience)} (let it go on first: kill -CONT ${pid})`
      : words(cause.errno, patience);
    throw refuse(why, { cause, errno: cause.errno });
  } finally {
    if (pidfd >= 0) library.close(pidfd);
  }
}

/** The letter that /proc shows for a process. */
async function stateOf(pid: number): Promise<string | undefined> {
  return (await readStat(await livingThread(pid)))?.state;
}

interface Asked {
  pidfd: number;
  pid: number;
  uid: number;
  /** When patience ends, as performance.now() tells it. */
  end: number;
  /** Whether it was stopped when it was asked last. */
  held: boolean;
}

/** What a socket and a pidfd say of one who has ended, or called exec. */
const GONE: number[] = [Errno.PIPE, Errno.CONNRESET, Errno.SRCH];

/** One request and its answer, undefined when the other side went away without one. */
async function converse(
  library: Library,
  asked: Asked,
  options: RequestOptions,
): Promise<Report | undefined> {
  const ignore = await ignoreList(options.ignore, asked.pid);
  const { listener, cookie } = library.listen(asked.uid);
  asked.held = await stateOf(asked.pid) === "T";
  const hold = asked.held ? new Hold(library, { ...asked, listener, cookie }) : undefined;
  let connection = -1;
  try {
    const to = { ...asked, listener, cookie };
    connection = hold ? await acceptHeld(library, to) : await ask(library, to);
    if (connection < 0) return undefined;
    library.send(
      connection,
      REQUEST.encode({
        size: REQUEST.size,
        version: CONTROL_VERSION,
        op: RequestOp.CHECKPOINT,
        flags: (options.kill ? RequestFlag.KILL : 0) |
          (options.tcp === "repair" ? RequestFlag.TCP_REPAIR : 0),
        timeout_ms: Math.ceil(options.timeout ?? 0),
        stop_signal: hold?.connected(connection) ?? 0,
        files: new TextEncoder().encode(filePatterns(options.withFiles)),
        ignore: new TextEncoder().encode(ignore),
      }),
    );
    return await receiveReport(library, {
      connection,
      onProgress: options.onProgress,
      isAtWork: () => isAtWork(asked.pid),
    });
  } catch (error) {
    const gone = error instanceof NativeError && GONE.includes(error.errno);
    if (!gone) throw error;
  } finally {
    await hold?.end();
    for (const fd of [connection, listener]) if (fd >= 0) library.close(fd);
  }
}

/** The connection of a process that is held, -1 when it turned out not to be stopped. */
async function acceptHeld(
  library: Library,
  from: Asked & { listener: number },
): Promise<number> {
  const left = Math.max(0, Math.ceil(from.end - performance.now()));
  try {
    return await library.accept(from.listener, { ...from, timeout: left });
  } catch (error) {
    // Whoever holds it shuts the listener down, and knows why.
    if (error instanceof NativeError && error.errno === Errno.INVAL) return -1;
    throw error;
  }
}

/** The connection of a process that has been asked until it came, -1 when it has been stopped before it did. */
async function ask(
  library: Library,
  to: Asked & { listener: number; cookie: bigint },
): Promise<number> {
  let retake: FunctionPlace | undefined;
  for (;;) {
    const sent = await library.request(to.pidfd, { ...to, retake });
    const left = Math.max(0, Math.ceil(to.end - performance.now()));
    try {
      return await library.accept(to.listener, { ...to, timeout: Math.min(left, sent ? LOST : 1) });
    } catch (error) {
      const early = error instanceof NativeError && error.errno === Errno.TIMEDOUT && left > 0;
      if (!early) throw error;
    }
    if (await stateOf(to.pid) === "T") return -1;
    // A program that does not answer may have called pthread_cancel, which takes the signal.
    if (sent) retake = await findFunction(to.pid, "ckpt_retake");
  }
}

/** Where a function of libckpt.so lies in a process, undefined when it is not there under its name. */
async function findFunction(pid: number, name: string): Promise<FunctionPlace | undefined> {
  const maps = await readProc(await livingThread(pid), "maps");
  const [, start, path] = maps?.match(/^([0-9a-f]+)-\S+ \S+ 0+ .* (\/.*\/libckpt\.so)$/m) ?? [];
  if (!start || !path) return undefined;
  const { size, mtime } = await Deno.stat(path);
  const symbols = await Symbols.read(path, { size, modified: mtime! });
  const address = symbols?.addressOf(name);
  if (!address) return undefined;
  const library = BigInt(`0x${start}`);
  return { address: library + address, library };
}

const KINDS: Record<number, Report["kind"]> = {
  [ReportKind.DONE]: "done",
  [ReportKind.READY]: "ready",
};

/**
 * Whether a thread of a process is in libckpt's handler, which blocks the control signal, or about to come there. When
 * another thread calls exec, or the process is killed, a child that was born in the freeze may still have a copy of the
 * connection: that tells nothing then.
 */
async function isAtWork(pid: number): Promise<boolean> {
  try {
    for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
      const status = await readStatus(`${pid}/task/${name}`);
      if (status && (status.blocked | status.pending) >> CONTROL_BIT & 1n) return true;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}

/** A message's length, 0 when there will be none. */
async function receive(
  library: Library,
  message: Uint8Array<ArrayBuffer>,
  from: { connection: number; isAtWork?: () => Promise<boolean> },
): Promise<number> {
  const { connection, isAtWork } = from;
  for (let atWork = true;;) {
    try {
      const timeout = !isAtWork ? -1 : atWork ? LOST : 0;
      return await library.receive(connection, { message, timeout });
    } catch (error) {
      if (!(error instanceof NativeError && error.errno === Errno.TIMEDOUT)) throw error;
    }
    // It may have answered before it left.
    if (!atWork) return 0;
    atWork = await isAtWork!();
  }
}

/** The next report but for progress, undefined when the other side ends the conversation without one. */
export async function receiveReport(
  library: Library,
  from: {
    connection: number;
    onProgress?: (progress: Progress) => void;
    isAtWork?: () => Promise<boolean>;
  },
): Promise<Report | undefined> {
  const message = new Uint8Array(2 * REPORT.size);
  for (;;) {
    const length = await receive(library, message, from);
    if (length === 0) return undefined;
    const report = REPORT.decode(message.subarray(0, length));
    if (report.kind === ReportKind.PROGRESS) {
      from.onProgress?.({ bytes: Number(report.bytes), total: Number(report.total) });
      continue;
    }
    return {
      kind: KINDS[report.kind] ?? "failed",
      errno: report.error,
      number: Number(report.number),
      bytes: Number(report.bytes),
      pauseNs: Number(report.pause_ns),
      totalNs: Number(report.total_ns),
      text: text(report.text),
    };
  }
}

/** Why one that is stopped has not been saved. */
function whyStopped(errno: number, patience: number): string {
  switch (errno) {
    case Errno.PERM:
      return "it is stopped, and ptrace is not allowed";
    case Errno.BUSY:
      return "it is stopped after ckpt_defer() and before ckpt_allow()";
    default:
      return `it is stopped, and ${words(errno, patience)}`;
  }
}

function words(errno: number, patience: number): string {
  switch (errno) {
    case Errno.SRCH:
      return "it has ended";
    case Errno.PERM:
      return "it belongs to another user";
    case Errno.TIMEDOUT:
      return `it did not answer within ${
        patience / 1000
      } s (it may be waiting for a disk: try again)`;
    default:
      return errnoWords(errno);
  }
}
