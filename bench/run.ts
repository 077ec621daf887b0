// `npm run bench`: what a scan costs, measured on the built program as a user runs it, against an emulated AWS in another process.
// Times depend on the machine, so each is printed beside a bound, with the ratio of the two; calls do not.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { evaluate } from "./evaluate.ts";
import { type Throttled, throttledLists, throttledReads } from "./throttled.ts";

const RESOURCES = 10_000;
const LATENCY_MS = 50;
const JUDGED = 20_000;
const PROGRAM = fileURLToPath(new URL("../dist/cli/tagwarden.js", import.meta.url));
/** The starter policies: a third of the seeded resources break some rule. */
const POLICIES = fileURLToPath(new URL("../policies", import.meta.url));

type World = { url: string; types: Record<string, number>; never_tagged: number };
type Run = { seconds: number; user_seconds: number; calls: Record<string, number>; state: string };
type Row = { what: string; measured: string; bound: string; ratio: number; goal: number };

const folder = await mkdtemp(join(tmpdir(), "tagwarden-bench-"));
const sandbox = spawn(process.execPath, [fileURLToPath(new URL("sandbox.ts", import.meta.url)), String(RESOURCES)]);
sandbox.stderr.pipe(process.stderr);
try {
  const world = JSON.parse(await firstLine(sandbox)) as World;
  const pages = Object.values(world.types).reduce((sum, count) => sum + Math.ceil(count / 100), 0);
  const longest = Math.max(...Object.values(world.types).map((count) => Math.ceil(count / 100)));
  process.stdout.write(
    `${RESOURCES} resources in one target: ${pages} pages, the longest list ${longest}, ${world.never_tagged} never tagged. ${cpus().length} × ${cpus()[0]?.model ?? "cpu"}, Node ${process.version}\n\n`,
  );

  const first = await scan(world);
  const steady = await scan(world);
  const startUp = await best(() => run(["migrate"], world));
  const idle = await best(() => scan(world));
  sandbox.stdin.write(`latency ${LATENCY_MS}\n`);
  const slow = await best(() => scan(world));

  const { judged, parsed, violating } = evaluate(JUDGED);

  const reads = await throttledReads(200);
  const lists = await throttledLists(50_000);

  const ideal = 2 * pages;
  const chain = ((longest + 2) * LATENCY_MS) / 1000;
  print([
    row("calls, first scan", first.calls["total"] ?? 0, ideal + world.never_tagged, 1.05, "2 × pages + never tagged"),
    row("calls, steady scan", steady.calls["total"] ?? 0, ideal, 1.02, "2 × pages"),
    row("start-up, s", startUp.seconds, 1.5, 1, "1.5 s"),
    row(
      `time, steady scan, ${LATENCY_MS} ms a call, beyond start-up, s`,
      slow.seconds - startUp.seconds,
      chain,
      1.3,
      "(longest list + 2) × latency",
    ),
    row(
      "CPU, steady scan, no latency, beyond start-up, s of user time",
      idle.user_seconds - startUp.user_seconds,
      1.5,
      1,
      "1.5 s",
    ),
    row(
      `evaluate: CPU, ${JUDGED} resources × 10 rules, ${violating} in violation, s`,
      judged,
      JUDGED / 200_000,
      1,
      "200,000 resources/s",
    ),
    throttledRow("readings of single resources", reads),
    throttledRow("pages of one list", lists),
    row("evaluate, the same", judged, parsed, 2.5, "JSON.parse of the same resources"),
  ]);
} finally {
  sandbox.kill();
  await rm(folder, { recursive: true, force: true });
}

async function scan(world: World): Promise<Run> {
  const result = await run(["scan", "--json", "--policies", POLICIES, "--regions", "us-east-1"], world);
  if (result.state !== "succeeded") throw new Error(`the scan ended as ${result.state}`);
  return result;
}

/** The quickest of three: the others were disturbed. */
async function best(measure: () => Promise<Run>): Promise<Run> {
  const first = await measure();
  const runs = [first, await measure(), await measure()];
  const least = (pick: (run: Run) => number) => Math.min(...runs.map(pick));
  return {
    ...first,
    seconds: least(({ seconds }) => seconds),
    user_seconds: least(({ user_seconds }) => user_seconds),
  };
}

async function run(words: string[], world: World): Promise<Run> {
  // The shell's `time` counts the user time of the program and of whatever it starts.
  const command = `TIMEFORMAT=$'\\n{"seconds":%R,"user_seconds":%U}'; time "$@"`;
  const child = spawn("bash", ["-c", command, "bench", process.execPath, PROGRAM, ...words], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      AWS_ENDPOINT_URL: world.url,
      AWS_ACCESS_KEY_ID: "bench",
      AWS_SECRET_ACCESS_KEY: "bench",
      AWS_REGION: "us-east-1",
    },
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const time = JSON.parse(stderr.trim().split("\n").at(-1) ?? "") as { seconds: number; user_seconds: number };
  if (words[0] !== "scan") return { ...time, calls: {}, state: "" };
  if (stdout === "") throw new Error(`tagwarden ${words.join(" ")} failed:\n${stderr}`);
  const report = JSON.parse(stdout) as { api_calls: Record<string, number>; state: string };
  return { ...time, calls: report.api_calls, state: report.state };
}

function row(what: string, measured: number, bound: number, goal: number, formula: string): Row {
  const number = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(2));
  return { what, measured: number(measured), bound: `${number(bound)} = ${formula}`, ratio: measured / bound, goal };
}

/** At least nine tenths of the calls that AWS allows are put to use. A unit that failed would be no result at all. */
function throttledRow(what: string, { seconds, least_seconds, throttled, failed_units }: Throttled): Row {
  if (failed_units > 0) throw new Error(`${failed_units} units failed while AWS throttled ${what}`);
  const title = `AWS allows 5 calls a second, ${what}, ${throttled} throttled, s`;
  return row(title, seconds, least_seconds, 1 / 0.9, "calls beyond a burst of 5 ÷ 5");
}

function print(rows: Row[]): void {
  const line = (cells: string[]) => process.stdout.write(`| ${cells.join(" | ")} |\n`);
  line(["what", "measured", "bound", "ratio", "goal", ""]);
  line(["---", "---", "---", "---", "---", "---"]);
  for (const { what, measured, bound, ratio, goal } of rows) {
    line([what, measured, bound, ratio.toFixed(3), `≤ ${Number(goal.toFixed(2))}`, ratio <= goal ? "met" : "missed"]);
  }
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += String(chunk);
  return all;
}

async function firstLine(child: ChildProcessWithoutNullStreams): Promise<string> {
  for await (const line of createInterface(child.stdout)) return line;
  throw new Error("the sandbox did not start");
}
