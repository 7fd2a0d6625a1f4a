import { resolve } from "@std/path";
import { ImageError } from "../errors.ts";
import { Image } from "../image.ts";
import { readJob } from "../images.ts";
import { readArguments } from "./arguments.ts";
import { bytes, findImage, printError, printJson, short } from "./common.ts";

/** `ckpt verify` */
export async function verifyCommand(args: string[]): Promise<number> {
  const parsed = readArguments(args, {
    flags: ["json"],
    values: ["dir"],
    operands: [1, 1],
    wanted: "an image or a job",
  });
  const path = await findImage(parsed.operands[0]!, parsed.value("dir"));
  const job = await readJob(resolve(path));
  const json = parsed.flag("json");
  const whole: Image[] = [];
  const damaged = [...job?.damaged ?? []];
  for (const image of job?.images ?? [await Image.open(path)]) {
    try {
      await image.verify();
      whole.push(image);
      if (!json) console.log(`${short(image.path)} is whole: ${bytes(image.size)} checked`);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      damaged.push(error);
    }
  }
  if (json) {
    printJson([
      ...whole.map(({ path, size }) => ({ path, whole: true, bytes: size, problems: [] })),
      ...damaged.map(({ path, problems }) => ({ path, whole: false, bytes: null, problems })),
    ]);
  } else {
    damaged.forEach(printError);
  }
  return damaged.length ? 1 : 0;
}
