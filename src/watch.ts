import { Errno, Library, NativeError } from "./library.ts";
import { isProcess, type ProcessId } from "./proc.ts";
import { signalNumber } from "./signals.ts";

/** Waits for a process that is not our child. */
export class Watch {
  /** Settles when the process has ended, or the watch was stopped. */
  readonly ended: Promise<void>;
  #stopped = false;
  #wake?: () => void;

  constructor(process: ProcessId) {
    this.ended = this.#run(process);
  }

  /** Whether it was stopped. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Waits no longer. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  async #run(process: ProcessId): Promise<void> {
    using library = new Library();
    const pidfd = await openProcess(library, process);
    if (pidfd < 0) return;
    const event = library.event();
    try {
      if (this.#stopped) return;
      this.#wake = () => library.signalEvent(event);
      await library.wait(pidfd, event);
    } finally {
      this.#wake = undefined;
      library.close(event);
      library.close(pidfd);
    }
  }
}

/** Sends a signal to that very process. One that has ended gets none. */
export async function sendSignal(process: ProcessId, signal: Deno.Signal): Promise<void> {
  using library = new Library();
  const pidfd = await openProcess(library, process);
  if (pidfd < 0) return;
  try {
    library.kill(pidfd, signalNumber(signal));
  } catch (error) {
    if (!(error instanceof NativeError) || error.errno !== Errno.SRCH) throw error;
  } finally {
    library.close(pidfd);
  }
}

/** A descriptor of that very process, -1 when it has ended. */
async function openProcess(library: Library, process: ProcessId): Promise<number> {
  let pidfd: number;
  try {
    pidfd = library.openProcess(process.pid);
  } catch (error) {
    if (error instanceof NativeError && error.errno === Errno.SRCH) return -1;
    throw error;
  }
  if (await isProcess(process)) return pidfd;
  library.close(pidfd);
  return -1;
}
