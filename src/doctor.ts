import { Library, type Probes } from "./library.ts";
import { buildDirectory } from "./paths.ts";

/** One thing that ckpt needs or likes to have. */
export interface Check {
  /** What it is. */
  name: string;
  /** `ok`, `limited` when something goes without it, or `missing` when ckpt does not work without it. */
  state: "ok" | "limited" | "missing";
  /** What was found. */
  found: string;
  /** What its absence costs, and what to do about it; "" when all is well. */
  cost: string;
}

/**
 * Tries what this machine lets this user do, and says what each missing thing costs.
 *
 * @example Print what is missing
 * ```ts
 * import { doctor } from "@ckpt/ckpt";
 *
 * for (const check of await doctor()) {
 *   if (check.state !== "ok") console.log(check.name, check.found, check.cost);
 * }
 * ```
 */
export async function doctor(): Promise<Check[]> {
  const probes = await probe();
  return [
    kernel(),
    await architecture(),
    await nativeParts(),
    ...(probes ? probed(probes) : []),
    await freeIds(probes),
    await ptrace(),
    await compiler(),
    { name: "deno", state: "ok", found: Deno.version.deno, cost: "" },
  ];
}

async function probe(): Promise<Probes | undefined> {
  try {
    using library = new Library();
    return await library.probe();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function kernel(): Check {
  const release = Deno.osRelease();
  const [major = 0, minor = 0] = release.split(".").map((part) => parseInt(part));
  const fits = major > 5 || major === 5 && minor >= 10;
  return {
    name: "kernel",
    state: fits ? "ok" : "missing",
    found: `Linux ${release}`,
    cost: fits ? "" : "ckpt needs Linux 5.10 or newer",
  };
}

function architecture(): Check {
  const fits = Deno.build.os === "linux" && Deno.build.arch === "x86_64";
  return {
    name: "processor",
    state: fits ? "ok" : "missing",
    found: Deno.build.arch,
    cost: fits ? "" : "ckpt works on x86-64 only",
  };
}

async function nativeParts(): Promise<Check> {
  const directory = buildDirectory();
  const missing: string[] = [];
  for (const name of ["libckpt.so", "libckpt_helper.so", "restart"]) {
    if (!await Deno.stat(`${directory}/${name}`).catch(() => undefined)) missing.push(name);
  }
  return {
    name: "native part",
    state: missing.length ? "missing" : "ok",
    found: missing.length ? `${missing.join(", ")} missing in ${directory}` : directory,
    cost: missing.length ? "nothing works before: run make" : "",
  };
}

function probed(probes: Probes): Check[] {
  const check = (name: string, result: number, cost: string): Check => ({
    name,
    state: result > 0 ? "ok" : "limited",
    found: result > 0 ? "works" : words(result),
    cost: result > 0 ? "" : cost,
  });
  return [
    check(
      "page map scan",
      probes.pagemapScan,
      "looking for pages takes longer: Linux 6.7 or newer has a quick way",
    ),
    check(
      "userfaultfd",
      probes.userfaultfd,
      "no incremental images: Linux 6.7 or newer and CONFIG_USERFAULTFD have it",
    ),
    {
      ...check(
        "memory labels",
        probes.setMm,
        "a restarted program's heap, command line and environment are not where the kernel " +
          "looks for them: it takes a kernel with CONFIG_CHECKPOINT_RESTORE",
      ),
    },
    check(
      "choice of ids",
      probes.setTid,
      "a restart takes a namespace to keep process ids: root and CAP_CHECKPOINT_RESTORE need none",
    ),
    check(
      "user and process namespace",
      probes.namespace,
      "a restart as an ordinary user cannot keep process ids: see /proc/sys/user/max_user_namespaces " +
        "and, on Debian and Ubuntu, kernel.unprivileged_userns_clone and apparmor's restrictions",
    ),
    check(
      "own /proc in it",
      probes.namespaceProc,
      "in a namespace a restarted program sees the ids of outside in /proc: the container hides parts of /proc",
    ),
    check(
      "time namespace",
      probes.clocks,
      "a restarted program's CLOCK_MONOTONIC jumps, and goes back after a reboot: it takes CONFIG_TIME_NS, " +
        "and what process namespaces take",
    ),
    check(
      "TCP repair",
      probes.repair,
      "TCP connections to other processes come back reset: --tcp=repair takes CAP_NET_ADMIN",
    ),
  ];
}

async function freeIds(probes: Probes | undefined): Promise<Check> {
  const most = Number(await Deno.readTextFile("/proc/sys/kernel/pid_max"));
  let used = 0;
  for await (const entry of Deno.readDir("/proc")) if (/^\d+$/.test(entry.name)) used++;
  const crowded = used * 4 > most && (probes?.setTid ?? 0) > 0;
  return {
    name: "process ids",
    state: crowded ? "limited" : "ok",
    found: `${used} of ${most} in use`,
    cost: crowded ? "an id may be taken when its program comes back: raise kernel.pid_max" : "",
  };
}

async function ptrace(): Promise<Check> {
  const scope = await Deno.readTextFile("/proc/sys/kernel/yama/ptrace_scope")
    .then((text) => Number(text), () => 0);
  const words = ["no limits", "children only", "root only", "nobody"];
  return {
    name: "ptrace",
    state: scope === 0 ? "ok" : "limited",
    found: `${words[scope] ?? "unknown"} (yama ${scope})`,
    cost: scope === 0
      ? ""
      : "gdb cannot look into a running job, nor ckpt save whether a program is just calling exec",
  };
}

async function compiler(): Promise<Check> {
  const name = Deno.env.get("CC") || "gcc";
  try {
    const { stdout } = await new Deno.Command(name, { args: ["-dumpfullversion"], stderr: "null" })
      .output();
    const version = new TextDecoder().decode(stdout).trim();
    return { name: "compiler", state: "ok", found: `${name} ${version}`, cost: "" };
  } catch {
    return {
      name: "compiler",
      state: "limited",
      found: `no ${name}`,
      cost: "ckpt cannot be built here, only used: install gcc and make",
    };
  }
}

function words(result: number): string {
  return result === -1 || result === -13 ? "not allowed" : `not there (error ${-result})`;
}
