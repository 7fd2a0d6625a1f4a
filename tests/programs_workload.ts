/**
 * What every row of tests/programs.ts has that is no server.
 *
 * @module
 */
import type { Prepared } from "./programs_prepare.ts";

/** One program. Its command runs in a fresh directory, and every file that it leaves there counts as output. */
export interface Workload extends Prepared {
  /** Words for sh; inputs are under ../input. */
  command: string;
  /** A command for sh, run where it has ended: makes of its output what two runs must have in common. */
  compare?: string;
  /** It changes files in place or deletes some, so nothing may run on past a checkpoint. */
  inPlace?: boolean;
  /** A command for sh that runs beside it in its directory, in no job. It appends to files that the program reads, and ends by itself. */
  beside?: string;
  /** Whether images carry its files, which are rolled back to the checkpoint. */
  withFiles?: boolean;
  /** Why an ordinary user saves it only once it has written to the file "out". */
  settles?: string;
  /** A command for sh, run where it has been killed, beside an empty directory "copied" that is removed afterwards. */
  killed?: string;
}
