import { type Duration, milliseconds } from "./duration.ts";
import type { Image } from "./image.ts";
import { imagesOf } from "./images.ts";

/** Checkpoints that a job makes by itself, and how many of all stay. */
export interface KeepOptions {
  /** The time between two checkpoints, such as `"10m"` or milliseconds. */
  every?: Duration;
  /** How many images stay after each checkpoint that is made through the job: older ones are removed. */
  keep?: number;
  /** Called with each image that was made by itself. */
  onCheckpoint?: (image: Image) => void;
  /** Called when one could not be made, or an old one not be removed. The program goes on. Without it, the error is printed. */
  onError?: (error: unknown) => void;
}

/** Throws a RangeError for options that make no sense, before anything has been started. */
export function checkKeepOptions(options: KeepOptions): void {
  if (options.every !== undefined) milliseconds(options.every);
  const { keep } = options;
  if (keep !== undefined && !(Number.isInteger(keep) && keep > 0)) {
    throw new RangeError(`Cannot keep ${keep} images: it takes a whole number from 1`);
  }
}

/** What setTimeout takes, in milliseconds: it runs out at once when it is given more. */
const LONGEST = 2 ** 31 - 1;

/** Makes checkpoints from time to time, and room for them. */
export class Keeper {
  readonly #job: { checkpoint(): Promise<Image>; readonly dir: string };
  readonly #options: KeepOptions;
  #timer?: ReturnType<typeof setTimeout>;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    job: { checkpoint(): Promise<Image>; readonly dir: string },
    options: KeepOptions,
  ) {
    this.#job = job;
    this.#options = options;
    this.#schedule();
  }

  /** Makes no more checkpoints. Returns once the last one is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Removes the images beyond those to keep. */
  async prune(): Promise<void> {
    const { keep } = this.#options;
    if (keep === undefined) return;
    try {
      const { images } = await imagesOf(this.#job.dir);
      for (const image of images.slice(0, -keep)) await image.remove();
    } catch (error) {
      this.#say(error); // the new image is there all the same
    }
  }

  #say(error: unknown): void {
    (this.#options.onError ?? console.error)(error);
  }

  #schedule(): void {
    const { every } = this.#options;
    if (every === undefined || this.#stopped) return;
    this.#wait(milliseconds(every));
  }

  #wait(ms: number): void {
    const now = Math.min(ms, LONGEST);
    this.#timer = setTimeout(() => {
      if (ms > now) this.#wait(ms - now);
      else this.#running = this.#run();
    }, now);
  }

  async #run(): Promise<void> {
    try {
      const image = await this.#job.checkpoint();
      this.#options.onCheckpoint?.(image);
    } catch (error) {
      // A program that ended meanwhile is no news.
      if (!this.#stopped) this.#say(error);
    }
    this.#schedule();
  }
}
