import { resolve } from "@std/path";
import { ImageError } from "../errors.ts";
import { Image } from "../image.ts";
import { readJob } from "../images.ts";
import { readArguments } from "./arguments.ts";
import { bytes, findImage, printError, short } from "./common.ts";

/** `ckpt verify` */
export async function verifyCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    values: ["dir"],
    operands: [1, 1],
    wanted: "an image or a job",
  });
  const path = await findImage(parsed.operands[0]!, parsed.value("dir"));
  const job = await readJob(resolve(path));
  const damaged = [...job?.damaged ?? []];
  for (const image of job?.images ?? [await Image.open(path)]) {
    try {
      await image.verify();
      console.log(`${short(image.path)} is whole: ${bytes(image.size)} checked`);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      damaged.push(error);
    }
  }
  damaged.forEach(printError);
  return damaged.length ? 1 : 0;
}
