/**
 * The stressors of stress-ng that tests/programs.ts runs: each ends by itself after so many operations, with status 0
 * when all of them did what they should.
 *
 * @module
 */
import type { Workload } from "./programs_workload.ts";

const stressors = [
  "cpu 2 --cpu-ops 8000",
  "vm 2 --vm-bytes 32M --vm-ops 150000",
  "futex 2 --futex-ops 200000",
  "timer 1 --timer-ops 100000",
  "signal 1 --signal-ops 400000",
  "fork 2 --fork-ops 5000",
  "vfork 2 --vfork-ops 50000",
  "zombie 2 --zombie-ops 6000",
  "wait 2 --wait-ops 6000",
  "session 2 --session-ops 3000",
];

export const stressWorkloads: Workload[] = stressors.map((words) => {
  const name = words.split(" ")[0];
  return {
    name: `stress-ng --${name}`,
    // Its workers are processes. What it says on standard error holds process ids and times.
    command: `stress-ng --verify --temp-path . --${words}`,
    needs: { "stress-ng": "stress-ng" },
    inPlace: true,
    compare: "grep -q 'successful run completed' err && rm err",
  };
});
