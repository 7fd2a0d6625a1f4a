/**
 * branch.ts: does the slow part once, saves itself, and works on from there in every restart.
 *
 *     LD_PRELOAD=$PWD/build/libckpt.so deno run -A native/examples/branch.ts
 *     build/restart ckpt/deno-PID               # as often as wanted
 *
 * Deno takes part through FFI, by the path of the library that is preloaded: loading it again gives the same one. Its
 * hooks would be JavaScript, which must not run inside a signal handler: ckpt_restarts() is asked instead.
 *
 * @module
 */
const path = Deno.env.get("LD_PRELOAD")?.split(/[: ]/).find((name) => name.endsWith("libckpt.so"));
if (!path) throw new Error("branch.ts runs under libckpt.so only: see its first lines");

const ckpt = Deno.dlopen(path, {
  ckpt_checkpoint: { parameters: [], result: "i32" },
  ckpt_restarts: { parameters: [], result: "u32" },
  ckpt_defer: { parameters: [], result: "void" },
  ckpt_allow: { parameters: [], result: "i32" },
}).symbols;

/** No image shows what happens in here half done. */
async function whole<T>(action: () => Promise<T>): Promise<T> {
  ckpt.ckpt_defer();
  try {
    return await action();
  } finally {
    ckpt.ckpt_allow();
  }
}

const table = await whole(async () => { // the slow part
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(1_000_000)));
  return Array.from({ length: 100_000 }, (_, i) => digest[i % 32]! * i);
});

const result = ckpt.ckpt_checkpoint();
if (result < 0) throw new Error(`No checkpoint: errno ${-result}`);
// Math.random() goes on with the same numbers in every branch; these come from the system.
const [number] = crypto.getRandomValues(new Uint32Array(1));
const sum = table.reduce((a, b) => a + b, 0);
console.log(result === 1 ? "restarted" : "saved", sum, number, ckpt.ckpt_restarts());
