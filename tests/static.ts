/**
 * Programs that libckpt does not get into, since no dynamic loader is there to load it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { run, type TempDir } from "./support.ts";

const waits = `#include <unistd.h>
int main(void) { pause(); }
`;

/** Ends by the control signal, which it handles: it has its argument's name from then on. */
const handles = `#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
static void end(void) { _exit(3); }
int main(int argc, char **argv) {
  struct { void (*handler)(void); unsigned long flags; void (*restorer)(void); unsigned long mask; } action =
    {end, 0x04000000 /* SA_RESTORER */, end, 0};
  if (argc != 2 || syscall(SYS_rt_sigaction, 32, &action, 0, 8) || prctl(PR_SET_NAME, argv[1]))
    return 1;
  for (;;)
    pause();
}
`;

async function compile(dir: TempDir, { name, text }: { name: string; text: string }) {
  await Deno.writeTextFile(dir.join("a.c"), text);
  const made = await run(["gcc", "-static", "-o", dir.join(name), dir.join("a.c")]);
  assertEquals(made.code, 0, made.stderr);
}

/** A command in the directory for a program named "alone". */
export async function makeStatic(dir: TempDir): Promise<string> {
  await compile(dir, { name: "alone", text: waits });
  return "./alone";
}

/** The same of one that handles the control signal itself by the time that it is named so. */
export async function makeStaticHandler(dir: TempDir): Promise<string> {
  await compile(dir, { name: "handles", text: handles });
  return "./handles alone";
}
