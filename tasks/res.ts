/** Brings the newest image back, up to the end of its program. */
import { relative } from "@std/path";
import { images, restart } from "../mod.ts";
import { say } from "./say.ts";

const image = (await images()).at(-1);
if (!image) {
  say("Nothing", "to restart: there is no image in ckpt/ (make check makes one)");
  Deno.exit(1);
}

say("Restarting", `${relative(Deno.cwd(), image.path)}, saved ${image.time.toLocaleString()}`);
await using job = await restart(image);
const { code } = await job.status;
say("Ended", `with exit status ${code}`);
if (code !== 0) Deno.exit(1);
