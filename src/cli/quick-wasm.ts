import { setFlagsFromString } from "node:v8";

/**
 * Has V8 run WebAssembly, which the embedded database is, as its first compiler made it. The second one would spend two seconds
 * of processor time on PostgreSQL's parser alone, as a single function of 100 kB that counts as busy after a few statements, and
 * a process does not end before it is through. For a command that ends soon; a service that stays wants its queries optimized.
 * Has no effect on WebAssembly that was compiled before.
 */
export function skipWasmOptimizer(): void {
  setFlagsFromString("--no-wasm-tier-up");
  setFlagsFromString("--no-wasm-dynamic-tiering");
}
