/** Linux's numbers on x86-64, of the signals that Deno has names for. */
const NUMBERS: Partial<Record<Deno.Signal, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
};

/** A signal's number. */
export function signalNumber(signal: Deno.Signal): number {
  const number = NUMBERS[signal];
  if (number === undefined) throw new TypeError(`Not a signal of Linux: ${signal}`);
  return number;
}

/** The signal of a number, null when it has no name. */
export function signalName(number: number): Deno.Signal | null {
  for (const [name, value] of Object.entries(NUMBERS)) {
    if (value === number) return name as Deno.Signal;
  }
  return null;
}
