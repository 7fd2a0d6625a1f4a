import { roundtrips } from "./roundtrip.ts";

roundtrips([
  { does: "brings back the general registers", program: "registers_general" },
  {
    does: "brings back registers in the middle of a computation",
    program: "registers_spin",
    go: { signal: "SIGUSR1" },
    pings: false,
    spins: true,
  },
  { does: "brings back vector and x87 registers", program: "registers_vector" },
  { does: "brings back the FS and GS bases", program: "segments" },
  { does: "registers restartable sequences again", program: "rseq" },
  { does: "goes on with no half of a restartable sequence", program: "rseq_counters" },
  { does: "brings back robust list and clear_child_tid", program: "thread_pointers" },
]);
