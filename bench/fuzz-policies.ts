// `npm run fuzz -- --files 1000000 --seed 1`: mutated policies, lookup tables, cases and exemptions, given to their loaders. Each ends
// as something that can be used, or in problems with their places; within a second of processor time and in bounded memory.
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { examine } from "../test/support/fuzz-examine.ts";
import { fuzzedFile } from "../test/support/fuzz-files.ts";

/** Processor time for one file, all that is done with it included; what a busy machine does meanwhile does not count. */
const MOST_MS = 1_000;
/** After so long without a next file it is taken to hang. */
const HANGS_MS = 60_000;
/** Megabytes of a heap that is bounded. */
const HEAP_MB = 256;
const PROGRESS_MS = 10_000;
/** More say nothing new. */
const MOST_FAILURES = 10;

type Work = { readonly seed: number; readonly first: number; readonly files: number; readonly at: Int32Array };
/** `memory`: resident, in MB, at the start, in the middle and at the end. */
type Tally = { loaded: number; refused: number; slowest_ms: number; slowest: number; memory: number[] };
type Failure = { readonly number: number; readonly why: string };

if (isMainThread) process.exitCode = await main();
else work(workerData as Work);

/** Gives one file after the other to its loader, and tells what came of them. */
function work({ seed, first, files, at }: Work): void {
  const tally: Tally = { loaded: 0, refused: 0, slowest_ms: 0, slowest: first, memory: [] };
  const looks = [Math.floor(files / 50), Math.floor(files / 2), files - 1];
  for (let number = first; number < first + files; number += 1) {
    Atomics.store(at, 0, number);
    const file = fuzzedFile(seed, number);
    const before = process.threadCpuUsage();
    try {
      tally[examine(file)] += 1;
    } catch (error) {
      fail(number, error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    const { user, system } = process.threadCpuUsage(before);
    const ms = (user + system) / 1000;
    if (ms > MOST_MS) fail(number, `it took ${ms.toFixed(0)} ms`);
    if (ms > tally.slowest_ms) Object.assign(tally, { slowest_ms: ms, slowest: number });
    if (looks.includes(number - first)) tally.memory.push(rss());
  }
  parentPort?.postMessage(tally, []);
}

function fail(number: number, why: string): void {
  parentPort?.postMessage({ number, why } satisfies Failure, []);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      files: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      first: { type: "string", default: "0" },
    },
  });
  const [files = 0, seed = 0, first = 0] = [values.files, values.seed, values.first].map(Number);
  const at = new Int32Array(new SharedArrayBuffer(4));
  const failures: Failure[] = [];
  const began = performance.now();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { seed, first, files, at } satisfies Work,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  const tally = await new Promise<Tally | null>((done) => {
    let last = { number: -1, since: began };
    const report = (failure: Failure) => {
      failures.push(failure);
      describe(seed, failure);
      if (failures.length >= MOST_FAILURES) stop();
    };
    const timer = setInterval(() => {
      const number = Atomics.load(at, 0);
      const now = performance.now();
      if (number !== last.number) last = { number, since: now };
      else if (now - last.since > HANGS_MS) {
        report({ number, why: `it hangs: nothing for ${HANGS_MS / 1000} s` });
        stop();
      }
      const each = (1000 * (number - first)) / (now - began);
      process.stderr.write(`${number - first} of ${files}, ${each.toFixed(0)}/s, ${rss()} MB\n`);
    }, PROGRESS_MS);
    const stop = () => {
      clearInterval(timer);
      worker.once("exit", () => done(null));
      void worker.terminate();
    };
    worker.on("message", (message: Tally | Failure) => {
      if ("why" in message) return report(message);
      clearInterval(timer);
      done(message);
    });
    worker.once("error", (error) => {
      report({ number: Atomics.load(at, 0), why: error.stack ?? error.message });
      stop();
    });
  });
  process.stdout.write(`seed ${seed}, ${files} files from ${first}: ${tally ? words(tally) : "stopped"}\n`);
  process.stdout.write(`${failures.length} failures, ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
  return failures.length > 0 ? 1 : 0;
}

function words({ loaded, refused, slowest_ms, slowest, memory }: Tally): string {
  return `${loaded} loaded, ${refused} refused; the slowest took ${slowest_ms.toFixed(0)} ms (number ${slowest}); resident at the start, in the middle and at the end, MB: ${memory.join(", ")}`;
}

function describe(seed: number, { number, why }: Failure): void {
  const { kind, text } = fuzzedFile(seed, number);
  const path = join(tmpdir(), `fuzz-${seed}-${number}.${kind}`);
  writeFileSync(path, text);
  process.stderr.write(
    `\nfailed: ${kind} ${path}\n${why}\nagain: npm run fuzz -- --seed ${seed} --first ${number} --files 1\n`,
  );
}

function rss(): number {
  return Math.round(process.memoryUsage().rss / 1e6);
}
