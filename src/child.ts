/** Kills a child that is of no use, unless it has ended by itself. */
export async function endChild(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended already.
  }
  await child.status;
  await closeStreams(child);
}

/** Closes the streams of a child that were asked for as "piped" and that nobody reads or writes. */
export async function closeStreams(child: Deno.ChildProcess): Promise<void> {
  const { stdin, stdout, stderr } = streams(child);
  if (stdin && !stdin.locked) await stdin.abort().catch(() => {});
  for (const stream of [stdout, stderr]) if (stream && !stream.locked) await stream.cancel();
}

/** The streams that were asked for as "piped": the others throw when looked at. */
function streams(child: Deno.ChildProcess): Partial<Deno.ChildProcess> {
  const get = <K extends "stdin" | "stdout" | "stderr">(name: K) => {
    try {
      return child[name];
    } catch {
      return undefined;
    }
  };
  return { stdin: get("stdin"), stdout: get("stdout"), stderr: get("stderr") };
}
