/**
 * Installs what the programs of tests/programs.ts need: their table is the only list of packages.
 *
 * @module
 */

/** Programs, and paths of other files, with the Debian package that brings each. */
export type Needs = Record<string, string>;

async function exists(what: string): Promise<boolean> {
  const test = what.startsWith("/") ? `test -e ${what}` : `command -v ${what}`;
  return (await new Deno.Command("sh", { args: ["-c", test] }).output()).success;
}

/** The Debian packages that would bring what is not there. */
export async function missingOf(needs: Needs): Promise<string[]> {
  const packages = new Set<string>();
  for (const [what, debianPackage] of Object.entries(needs)) {
    if (!await exists(what)) packages.add(debianPackage);
  }
  return [...packages];
}

async function aptGet(...args: string[]): Promise<boolean> {
  const { success, stderr } = await new Deno.Command("apt-get", {
    args,
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).output();
  if (!success) console.log(new TextDecoder().decode(stderr).trim());
  return success;
}

/** Installs all that is missing, when the user may do that and Debian's tool is there. */
export async function installMissing(needs: Needs[]): Promise<void> {
  const missing = await missingOf(Object.assign({}, ...needs));
  if (missing.length === 0 || Deno.uid() !== 0 || !await exists("apt-get")) return;
  console.log(`installing ${missing.join(" ")}`);
  const install = ["install", "-y", "-q", "--no-install-recommends"];
  await aptGet("update", "-q");
  if (await aptGet(...install, ...missing)) return;
  // One package that cannot be had must not keep the others away.
  for (const debianPackage of missing) await aptGet(...install, debianPackage);
}
