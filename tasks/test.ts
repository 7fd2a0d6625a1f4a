/** The one gate: builds, checks and tests everything. The last line counts it all. */
import { say } from "./say.ts";

const root = import.meta.dirname!.replace(/\/tasks$/, "");
Deno.chdir(root);
const deno = "tasks/deno.sh";
let passed = 0;
let failed = 0;
let skipped = 0;

/** Runs a command with its output shown, and gives that output too. */
async function run(
  command: string[],
  env: Record<string, string> = {},
): Promise<{ success: boolean; text: string }> {
  const [program, ...args] = command;
  const child = new Deno.Command(program!, {
    args,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  async function tee(from: ReadableStream<Uint8Array>, to: { writeSync(p: Uint8Array): number }) {
    const decoder = new TextDecoder();
    for await (const bytes of from) {
      text += decoder.decode(bytes, { stream: true });
      for (let done = 0; done < bytes.length;) done += to.writeSync(bytes.subarray(done));
    }
  }
  await Promise.all([tee(child.stdout, Deno.stdout), tee(child.stderr, Deno.stderr)]);
  return { success: (await child.status).success, text };
}

/** A step that passes or fails as a whole. */
async function step(name: string, command: string[]): Promise<boolean> {
  say("Step", name);
  const { success } = await run(command);
  if (success) passed++;
  else {
    failed++;
    say("Failed", command.join(" "));
  }
  return success;
}

/** A step that counts its own tests. */
async function tests(
  name: string,
  command: string[],
  options: { count: (text: string) => Counts; env?: Record<string, string> },
) {
  say("Step", name);
  const { success, text } = await run(command, options.env);
  const counts = options.count(text);
  passed += counts.passed;
  skipped += counts.skipped;
  // What fails without a failed test (a crash, a leak) is a failure of its own.
  failed += success ? counts.failed : Math.max(counts.failed, 1);
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

function countDeno(text: string): Counts {
  const line = text.match(/^(?:ok|FAILED) \| .*$/gm)?.at(-1) ?? "";
  const number = (word: string) => Number(line.match(new RegExp(`(\\d+) ${word}`))?.[1] ?? 0);
  return { passed: number("passed"), failed: number("failed"), skipped: number("ignored") };
}

function countUnit(text: string): Counts {
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0;
  return { passed: count(/^ok /gm), failed: count(/^not ok /gm), skipped: 0 };
}

async function find(...command: string[]): Promise<string[]> {
  const found = await new Deno.Command("find", { args: command }).output();
  return new TextDecoder().decode(found.stdout).split("\n").filter(Boolean).sort();
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function isInstalled(program: string): Promise<boolean> {
  const directories = (Deno.env.get("PATH") ?? "").split(":");
  return (await Promise.all(directories.map((path) => exists(`${path}/${program}`)))).some(Boolean);
}

const documented = ["mod.ts", "cli.ts", ...await find("src", "-name", "*.ts")];
if (await exists("README.md")) documented.push("README.md");
const cFiles = await find("native", "tests", "bench", "-name", "*.[ch]");

if (await step("Building", ["make", "test-parts"])) {
  await step("Checking types", [deno, "check", "--quiet", "."]);
  await step("Linting", [deno, "lint", "--quiet"]);
  await step("Checking the format", [deno, "fmt", "--check", "--quiet"]);
  if (await isInstalled("clang-format")) {
    await step("Checking the format of C", ["clang-format", "--dry-run", "-Werror", ...cFiles]);
  } else {
    skipped++;
    say("Skipped", "the format of C: clang-format is not installed");
  }
  await step("Linting the documentation", [deno, "doc", "--lint", "--quiet", "mod.ts", "cli.ts"]);
  await step("Checking the package", [deno, "publish", "--dry-run", "--allow-dirty", "--quiet"]);
  await tests("Testing C", ["make", "--no-print-directory", "unit"], { count: countUnit });
  const sanitize = ["--sanitize-ops", "--sanitize-resources"];
  const testFiles = await find("tests", "-maxdepth", "1", "-name", "*_test.ts");
  await tests("Testing", [deno, "test", "-A", "--no-check", ...sanitize, ...testFiles], {
    count: countDeno,
  });
  // The examples make directories of images, and look at those there are by default.
  const examples = await Deno.makeTempDir();
  const env = { TMPDIR: examples, CKPT_DIR: `${examples}/ckpt` };
  await tests("Running the examples", [deno, "test", "-A", "--doc", ...documented], {
    count: countDeno,
    env,
  });
  await Deno.remove(examples, { recursive: true });
}

if (skipped) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed ? 1 : 0);
