/**
 * Saves a running program to disk and brings it back: later, elsewhere, or as many times as wanted.
 *
 * The nouns are {@linkcode Job}, a program under checkpoint control, and {@linkcode Image}, one checkpoint of
 * it. Linux on x86-64 only; the native part is built by {@linkcode build} or `make`.
 *
 * ```ts
 * import { launch, restart } from "@ckpt/ckpt";
 *
 * const dir = await Deno.makeTempDir();
 * await using job = await launch(["sleep", "2"], { name: "sim", dir, every: "10m", keep: 3 });
 * const image = await job.checkpoint();
 * await job.kill();
 *
 * await using again = await restart(image);
 * console.log((await again.status).code); // 0
 * ```
 *
 * @module
 */
export { attach } from "./src/attach.ts";
export { clone, type CloneOptions, type Copies } from "./src/clone.ts";
export { build, type BuildOptions } from "./src/build.ts";
export type { Progress } from "./src/control.ts";
export { type Check, doctor } from "./src/doctor.ts";
export type { Duration } from "./src/duration.ts";
export { CheckpointError, ImageError, RestartError } from "./src/errors.ts";
export type {
  CheckpointErrorOptions,
  ImageErrorOptions,
  RestartErrorOptions,
} from "./src/errors.ts";
export { type CheckpointFigures, Image } from "./src/image.ts";
export { images, type JobInfo, jobs } from "./src/images.ts";
export { type CheckpointOptions, Job, type Status } from "./src/job.ts";
export type { KeepOptions } from "./src/keeper.ts";
export { launch, type LaunchOptions, type Stream } from "./src/launch.ts";
export type {
  Descriptor,
  DescriptorElsewhere,
  FileLock,
  ImageFile,
  IpcObject,
  MemoryGroup,
  ProcessImage,
  Region,
  Thread,
} from "./src/process_image.ts";
export { restart, type RestartOptions } from "./src/restart.ts";
export type { WithFiles } from "./src/with_files.ts";
