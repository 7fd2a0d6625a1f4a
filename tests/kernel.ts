/**
 * ckpt on another kernel: Debian's own, in a virtual machine of its own that is emulated, so that neither privilege nor
 * virtualization is needed. Each test program that needs nothing but libckpt.so and restart is saved, killed and
 * restarted there, as root and as an ordinary user.
 *
 *     deno run -A tests/kernel.ts [--only=NAME]...
 *
 * Debian's kernel is older than PAGEMAP_SCAN; the emulated processor has protection keys.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { basename, join, resolve } from "@std/path";
import { installMissing, missingOf } from "./programs_install.ts";

const project = resolve(import.meta.dirname!, "..");
const needs = { "qemu-system-x86_64": "qemu-system-x86", cpio: "cpio", "dpkg-deb": "dpkg" };
/** The machine ends each wait sooner, and goes on with the next program. */
const SILENCE_MS = 5 * 60_000;

async function sh(command: string, cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-ec", command],
    cwd,
    stdin: "null",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`"${command}" failed: ${new TextDecoder().decode(stderr).trim()}`);
}

/** Debian's newest kernel for virtual machines, unpacked; kept for the next time. */
async function fetchKernel(): Promise<string> {
  const kept = join(project, "build/kernel");
  await Deno.mkdir(kept, { recursive: true });
  const listed = await sh(
    "apt-cache search --names-only '^linux-image-[0-9.]+-[0-9]+-cloud-amd64$'",
    kept,
  );
  const newest = listed.split("\n").map((line) => line.split(" ")[0]!).filter(Boolean)
    .sort((one, other) => one.localeCompare(other, "en", { numeric: true })).at(-1);
  if (!newest) throw new Error("Debian's package lists name no kernel: apt-get update");
  await sh(
    `[ -e ${newest}/boot ] || { apt-get -q download ${newest} && dpkg-deb -x ${newest}_*.deb part &&
rm ${newest}_*.deb && mv part ${newest}; }`,
    kept,
  );
  return join(kept, newest);
}

/** What the kernel loads by itself when it is asked about sockets, in an order in which that works. */
const modules = [
  "net/unix/unix_diag",
  "net/ipv4/inet_diag",
  "net/ipv4/tcp_diag",
  "net/ipv4/udp_diag",
];

/**
 * Not tried: what is refused on any kernel, or by restart without --any-owner; what starts other programs or serves them, or
 * wants somebody to take its id or to let it be saved; what counts expirations that an emulated machine is too slow for; what
 * fills connections further than older kernels let libckpt see; what only musl does.
 */
const others = [
  "threads_stubborn",
  "tree_vfork",
  "tree_traced",
  "tree_users",
  "process_pid",
  "fd_served",
  "memory_private",
  "tree_late",
  "timer_overruns",
  "tree_tcp",
  "cancelled",
];

/** Programs that say READY, wait for "go", and want no arguments. */
async function findPrograms(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(join(project, "tests/programs"))) {
    if (!name.endsWith(".c") || others.includes(name.slice(0, -2))) continue;
    const text = await Deno.readTextFile(join(project, "tests/programs", name));
    if (text.includes("wait_for_go();") && text.includes("int main(void)")) {
      found.push(name.slice(0, -2));
    }
  }
  return found.sort();
}

/** The first file system of the machine: libckpt, restart, the programs and their libc. */
async function makeFiles(work: string, kernel: string, programs: string[]): Promise<string> {
  const libraries = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/libm.so.6",
    "/lib/x86_64-linux-gnu/libgcc_s.so.1",
  ];
  const tests = programs.map((name) => `${project}/build/tests/${name}`).join(" ");
  await sh(
    `mkdir -p root/build root/tests root/etc
cp /etc/hostname /etc/passwd root/etc
for module in ${modules.join(" ")}; do
  cp ${kernel}/lib/modules/*/kernel/$module.ko root && echo /$(basename $module).ko >> root/modules
done
cc -O1 -static -D_GNU_SOURCE -o root/init ${project}/tests/kernel/init.c
cp ${project}/build/libckpt.so ${project}/build/restart root/build
cp ${tests} root/tests
for library in ${libraries.join(" ")}; do install -D $library root$library; done
echo '${programs.join("\n")}' > root/programs
cd root && find . | cpio --quiet -o -H newc | gzip -1 > ../files`,
    work,
  );
  return join(work, "files");
}

/** The first that the machine has not told about. */
function findUntold(text: string, programs: string[]): string {
  const told = text.match(/^(not )?ok \S+ as /gm)?.length ?? 0;
  const name = programs[Math.floor(told / 2)];
  return name ? `${name} as ${told % 2 ? "an ordinary user" : "root"}` : "its end";
}

/** Runs the machine to its end, with what it says passed through: how many have passed, how many failed. */
async function runMachine(kernel: string, files: string, programs: string[]): Promise<number[]> {
  const silence = new AbortController();
  const options =
    `-M pc -cpu max -accel tcg,thread=multi -smp 2 -m 2048 -display none -no-reboot -nodefaults -serial stdio`;
  const child = new Deno.Command("qemu-system-x86_64", {
    args: [
      ...options.split(" "),
      "-kernel",
      `${kernel}/boot/vmlinuz-${basename(kernel).slice("linux-image-".length)}`,
      "-initrd",
      files,
      "-append",
      "console=ttyS0 quiet panic=-1 hugepages=16",
    ],
    stdin: "null",
    stdout: "piped",
    signal: silence.signal,
  }).spawn();
  let text = "";
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
    text += part;
    await Deno.stdout.write(new TextEncoder().encode(part));
  }
  clearTimeout(timer);
  await child.status;
  const total = /^(\d+) passed, (\d+) failed\s*$/m.exec(text);
  if (total) return [Number(total[1]), Number(total[2])];
  const why = silence.signal.aborted ? "stood still" : "ended";
  console.log(`not ok ${findUntold(text, programs)}: the machine ${why}`);
  return [text.match(/^ok /gm)?.length ?? 0, 1 + (text.match(/^not ok /gm)?.length ?? 0)];
}

async function main(words: string[]): Promise<number> {
  const options = parseArgs(words, { string: ["only"], collect: ["only"] });
  await installMissing([needs]);
  const missing = await missingOf(needs);
  if (missing.length > 0) {
    console.log(`skipped: ${missing.join(", ")} missing`);
    console.log("0 passed, 0 failed");
    return 0;
  }
  const work = await Deno.makeTempDir({ prefix: "ckpt-kernel-" });
  try {
    const only = options.only as string[];
    const programs = only.length > 0 ? only : await findPrograms();
    const kernel = await fetchKernel();
    const files = await makeFiles(work, kernel, programs);
    const [passed, failed] = await runMachine(kernel, files, programs);
    console.log(`${passed} passed, ${failed} failed`);
    return failed ? 1 : 0;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
