/** What each error knows beside its words. */
export interface CheckpointErrorOptions extends ErrorOptions {
  /** The process that was to be saved. */
  pid: number;
  /** A negative errno where the kernel said why. */
  errno?: number;
}

/**
 * A checkpoint could not be made. The program goes on as if nothing had been asked, and no file is left.
 *
 * @example Name the process that could not be saved
 * ```ts
 * import { attach, CheckpointError } from "@ckpt/ckpt";
 *
 * const error = await attach(Deno.pid).catch((error) => error);
 * if (error instanceof CheckpointError) console.log(error.pid, error.message);
 * ```
 */
export class CheckpointError extends Error {
  /** The class, as messages name it. */
  override name = "CheckpointError";
  /** The process that was to be saved. */
  readonly pid: number;
  /** A negative errno where the kernel said why. */
  readonly errno?: number;

  /** An error with these words about this process. */
  constructor(message: string, options: CheckpointErrorOptions) {
    super(message, { cause: options.cause });
    this.pid = options.pid;
    this.errno = options.errno;
  }
}

/** What a {@linkcode RestartError} knows beside its words. */
export interface RestartErrorOptions extends ErrorOptions {
  /** The image that was to be restarted. */
  path: string;
  /** Every problem found, each in a few words. */
  problems?: string[];
  /** A negative errno where the kernel said why. */
  errno?: number;
}

/**
 * An image could not be brought back. Nothing runs, and the image is as it was.
 *
 * @example Name the image that could not be restarted
 * ```ts
 * import { restart, RestartError } from "@ckpt/ckpt";
 *
 * const error = await restart("/nowhere/000001.ckpt").catch((error) => error);
 * if (error instanceof RestartError) console.log(error.path, error.message);
 * ```
 */
export class RestartError extends Error {
  /** The class, as messages name it. */
  override name = "RestartError";
  /** The image that was to be restarted. */
  readonly path: string;
  /** Every problem found, each in a few words. */
  readonly problems: string[];
  /** A negative errno where the kernel said why. */
  readonly errno?: number;

  /** An error with these words about this image. */
  constructor(message: string, options: RestartErrorOptions) {
    super(message, { cause: options.cause });
    this.path = options.path;
    this.problems = options.problems ?? [];
    this.errno = options.errno;
  }
}

/** What an {@linkcode ImageError} knows beside its words. */
export interface ImageErrorOptions extends ErrorOptions {
  /** The image or file. */
  path: string;
  /** Every problem found, each in a few words. */
  problems?: string[];
}

/**
 * Something is not an image, or a damaged one.
 *
 * @example Look at what is wrong with an image
 * ```ts
 * import { Image, ImageError } from "@ckpt/ckpt";
 *
 * const error = await Image.open("/nowhere/000001.ckpt").catch((error) => error);
 * if (error instanceof ImageError) console.log(error.path, error.problems);
 * ```
 */
export class ImageError extends Error {
  /** The class, as messages name it. */
  override name = "ImageError";
  /** The image or file. */
  readonly path: string;
  /** Every problem found, each in a few words. */
  readonly problems: string[];

  /** An error with these words about this image. */
  constructor(message: string, options: ImageErrorOptions) {
    super(message, { cause: options.cause });
    this.path = options.path;
    this.problems = options.problems ?? [];
  }
}
