/** Counts under libckpt.so, saves the program by a signal, and kills it. `res.ts` brings it back. */
import $ from "dax";
import { relative } from "@std/path";
import { TextLineStream } from "@std/streams/text-line-stream";
import { Image, launch } from "../mod.ts";
import { output } from "../src/paths.ts";
import { say } from "./say.ts";

const BEFORE = 10;
const AFTER = 5;

say("Counting", "under libckpt.so");
// Through pipes: a log file of ours would be taken for the program's, and be cut back by its restart.
await using job = await launch([output("count")], { stdout: "piped", stderr: "piped" });
const errors = job.stderr.pipeTo(Deno.stderr.writable, { preventClose: true });
const lines = job.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
const numbers = lines[Symbol.asyncIterator]();

async function show(count: number): Promise<void> {
  for (let i = 0; i < count; i++) console.log((await numbers.next()).value);
}

await show(BEFORE);

using events = Deno.watchFs(job.dir);
say("Saving", `it: kill -12 ${job.pid}`);
await job.kill("SIGUSR2");
for await (const _ of events) {
  if (await $.path(job.dir).join("latest").exists()) break;
}
const image = await Image.open(job.dir);
await show(AFTER);

say("Killing", `it: kill -9 ${job.pid}`);
await job.kill("SIGKILL");
await errors;

const path = relative(Deno.cwd(), image.path);
say("Saved", `${path}: bring it back with make res, or build/restart ${path}`);
