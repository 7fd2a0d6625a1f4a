import { dirname } from "@std/path";
import { ImageError } from "../errors.ts";
import { defaultDirectory, images } from "../images.ts";
import { restart } from "../restart.ts";
import { readArguments, readChoice, readCount, readPairs, UsageError } from "./arguments.ts";
import { restartCopies } from "./copies.ts";
import { findImage, printDetached, readDetach, readKeep, readName } from "./common.ts";
import { SignalPasser } from "./pass.ts";

/** `ckpt restart` */
export async function restartCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    flags: ["any-owner", "ignore-cpu", "quiet", "detach", "json", "stopped", "pty", "no-tty"],
    values: ["name", "dir", "pid", "files", "clocks", "tcp", "chdir", "every", "keep", "clone"],
    lists: ["map", "fd"],
    operands: [0, 1],
  });
  const { detach, json } = readDetach(parsed);
  const options = {
    name: readName(parsed),
    pid: readChoice(parsed, { name: "pid", choices: ["auto", "same", "namespace", "new"] }),
    files: readChoice(parsed, { name: "files", choices: ["rewind", "keep", "strict"] }),
    clocks: readChoice(parsed, { name: "clocks", choices: ["continue", "machine"] }),
    tcp: readChoice(parsed, { name: "tcp", choices: ["reset", "refuse", "repair"] }),
    map: Object.fromEntries(
      readPairs(parsed, { name: "map", form: "OLD=NEW, OLD absolute", left: /^\// }),
    ),
    cwd: parsed.value("chdir"),
    fds: Object.fromEntries(
      readPairs(parsed, { name: "fd", form: "N=PATH or N=inherit", left: /^\d{1,7}$/ }),
    ),
    detach,
    pty: parsed.flag("pty"),
    noTty: parsed.flag("no-tty"),
    stopped: parsed.flag("stopped"),
    anyOwner: parsed.flag("any-owner"),
    ignoreCpu: parsed.flag("ignore-cpu"),
    quiet: parsed.flag("quiet"),
    ...readKeep(parsed),
  };
  if (options.pty && (options.noTty || options.detach)) {
    throw new UsageError(`--pty and ${options.noTty ? "--no-tty" : "--detach"} do not go together`);
  }
  const count = readCount(parsed, "clone");
  if (count !== undefined && options.pid !== undefined && options.pid !== "namespace") {
    throw new UsageError("--clone takes no --pid: each copy has a pid namespace of its own");
  }
  const [what] = parsed.operands;
  const dir = parsed.value("dir");
  const path = what === undefined ? await newestImage(dir) : await findImage(what, dir);
  if (options.detach && options.every) {
    throw new UsageError("--every and --detach do not go together");
  }
  if (count !== undefined) return await restartCopies(path, { count, options, json });
  if (options.detach) {
    printDetached([await restart(path, options)], { ...options, json });
    return 0;
  }
  using signals = new SignalPasser();
  const job = await restart(path, options);
  await signals.to(job);
  const status = await job.status;
  return status.code ?? 1;
}

async function newestImage(dir: string = defaultDirectory()): Promise<string> {
  const newest = (await images(dir)).at(-1);
  if (newest) return dirname(newest.path); // of a job, for an older one is better than a damaged one
  throw new ImageError(
    `Cannot restart anything: there is no image in ${dir} (make one with ckpt save)`,
    { path: dir },
  );
}
