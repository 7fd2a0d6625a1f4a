import { attach } from "../attach.ts";
import type { Progress } from "../control.ts";
import { readArguments, readChoice } from "./arguments.ts";
import { bytes, findRunning, printJson, readDuration, short, span } from "./common.ts";

/** `ckpt save` */
export async function saveCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    flags: ["kill", "json"],
    values: ["dir", "timeout", "tcp"],
    lists: ["ignore"],
    optional: { "with-files": "*" },
    operands: [1, 1],
    wanted: "a process or a job",
  });
  const json = parsed.flag("json");
  const timeout = readDuration(parsed, "timeout");
  const pid = await findRunning(parsed.operands[0]!, { dir: parsed.value("dir"), to: "save" });
  await using job = await attach(pid);
  using progress = await ProgressBar.create(!json && Deno.stderr.isTerminal());
  const image = await job.checkpoint({
    kill: parsed.flag("kill"),
    timeout,
    withFiles: parsed.value("with-files"),
    tcp: readChoice(parsed, { name: "tcp", choices: ["repair"] }),
    ignore: parsed.list("ignore"),
    onProgress: (at) => progress.show(at),
  });
  progress.finish();
  const made = image.made!;
  if (json) {
    const { path, number, id } = image;
    printJson({ path, number, id, bytes: made.bytes, pauseMs: made.pause, totalMs: made.duration });
  } else {
    const took = `${span(made.duration)}, paused ${span(made.pause)}`;
    console.log(`${short(image.path)}  ${bytes(made.bytes)}  ${took}`);
  }
  return 0;
}

/** A bar for images that take a while, on a terminal only. */
class ProgressBar implements Disposable {
  readonly #bar?: Bar;

  private constructor(bar?: Bar) {
    this.#bar = bar;
  }

  static async create(visible: boolean): Promise<ProgressBar> {
    if (!visible) return new ProgressBar();
    const { default: $ } = await import("dax"); // only here: loading it takes longer than most images
    return new ProgressBar($.progress("Saving", { length: 0 }).kind("bytes"));
  }

  show({ bytes, total }: Progress): void {
    this.#bar?.length(total);
    this.#bar?.position(bytes);
  }

  finish(): void {
    this.#bar?.finish();
  }

  [Symbol.dispose](): void {
    this.finish();
  }
}

interface Bar {
  position(value: number): unknown;
  length(size: number): unknown;
  finish(): void;
}
