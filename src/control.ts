import { CheckpointError } from "./errors.ts";
import { CONTROL_VERSION, REPORT, ReportKind, REQUEST, RequestFlag, RequestOp } from "./format.ts";
import { Errno, errnoWords, Library, NativeError } from "./library.ts";
import { text } from "./notes.ts";
import { identify, type ProcessId, readStat, readStatus } from "./proc.ts";

/** How far a checkpoint is. */
export interface Progress {
  /** Bytes written so far. */
  bytes: number;
  /** Bytes to write, at the most. */
  total: number;
}

/** What a process answered. */
export interface Report {
  kind: "done" | "failed";
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
  /** Called while the image is written. */
  onProgress?: (progress: Progress) => void;
}

/** Milliseconds for a process to answer: it may be in an uninterruptible wait. */
const ANSWER = 10_000;

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

  using library = new Library();
  let pidfd = -1;
  let listener = -1;
  let connection = -1;
  try {
    pidfd = library.openProcess(pid);
    // Only now is it certain which process the descriptor refers to.
    if (!status || (await identify(pid))?.startTime !== process.startTime) {
      throw refuse("it has ended");
    }
    if ((await readStat(pid))?.state === "T") {
      throw refuse(`it is stopped (let it go on first: kill -CONT ${pid})`);
    }
    const control = library.listen();
    listener = control.listener;
    library.request(pidfd, { pid, cookie: control.cookie });
    connection = await library.accept(listener, { pidfd, pid, uid: status.uid, timeout: ANSWER });
    library.send(
      connection,
      REQUEST.encode({
        size: REQUEST.size,
        version: CONTROL_VERSION,
        op: RequestOp.CHECKPOINT,
        flags: options.kill ? RequestFlag.KILL : 0,
      }),
    );
    const report = await receiveReport(library, { connection, onProgress: options.onProgress });
    if (!report) throw refuse("it ended before its image was complete");
    if (report.kind === "failed") throw refuse(report.text, { errno: report.errno });
    return report;
  } catch (cause) {
    if (!(cause instanceof NativeError)) throw cause;
    throw refuse(words(cause.errno), { cause, errno: cause.errno });
  } finally {
    for (const fd of [connection, listener, pidfd]) if (fd >= 0) library.close(fd);
  }
}

/** The report that ends a conversation, undefined when the other side ends it without one. */
export async function receiveReport(
  library: Library,
  from: { connection: number; onProgress?: (progress: Progress) => void },
): Promise<Report | undefined> {
  const message = new Uint8Array(2 * REPORT.size);
  for (;;) {
    const length = await library.receive(from.connection, message);
    if (length === 0) return undefined;
    const report = REPORT.decode(message.subarray(0, length));
    if (report.kind === ReportKind.PROGRESS) {
      from.onProgress?.({ bytes: Number(report.bytes), total: Number(report.total) });
      continue;
    }
    return {
      kind: report.kind === ReportKind.DONE ? "done" : "failed",
      errno: report.error,
      number: Number(report.number),
      bytes: Number(report.bytes),
      pauseNs: Number(report.pause_ns),
      totalNs: Number(report.total_ns),
      text: text(report.text),
    };
  }
}

function words(errno: number): string {
  switch (errno) {
    case Errno.SRCH:
      return "it has ended";
    case Errno.PERM:
      return "it belongs to another user";
    case Errno.TIMEDOUT:
      return `it did not answer within ${
        ANSWER / 1000
      } s (it may be waiting for a disk: try again)`;
    default:
      return errnoWords(errno);
  }
}
