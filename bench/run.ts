/*
 * Measures what the design promises, on a sandbox in this process and the compiled command line in another:
 *   npm run bench            everything
 *   npm run bench -- judge   only what has this in its name
 * Machines differ, so each line has the bound and the ratio to it beside the number. Exit code 1 when a bound is missed.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Resource } from "../src/inventory/resource.ts";
import { judge } from "../src/policy/judge.ts";
import { compilePolicies } from "../src/policy/load.ts";
import { type Sandbox, type SandboxOptions, startSandbox } from "../src/sandbox/server.ts";

const REGION = "us-east-1";
const RESOURCES = 10_000;
const LATENCY_MS = 50;

type Measure = {
  readonly what: string;
  readonly measured: number;
  readonly bound: number;
  readonly unit: string;
  readonly most: boolean;
};
type Usage = { readonly stdout: string; readonly seconds: number; readonly user_seconds: number };

const BENCHMARKS: Record<string, () => Promise<Measure[]>> = {
  judge: benchJudge,
  scan: benchScan,
  latency: benchLatency,
};

/** Verdicts a second, one thread: ten rules on each resource. */
async function benchJudge(): Promise<Measure[]> {
  const rules = Array.from(
    { length: 8 },
    (_, n) => `  - {id: key-${n}, key: Key${n}, required: true, values: [dev, staging, prod]}`,
  );
  const text = [
    "version: 1",
    "id: bench",
    "title: Ten rules",
    "owner: bench@example.com",
    "rules:",
    ...rules,
    "  - {id: cost-center, key: CostCenter, required: true, pattern: 'CC-\\d{4}', aliases: [cost-center, costcenter]}",
    "  - {id: leftovers, forbidden: ['temp:*', 'tmp-*']}",
    "",
  ].join("\n");
  const set = compilePolicies([{ path: "bench.yaml", text }]);
  const now = new Date();
  const resources = Array.from({ length: 1000 }, (_, n): [Resource, Record<string, string>] => [
    {
      arn: `arn:aws:personalize:${REGION}:111122223333:campaign/c-${n}`,
      account_id: "111122223333",
      region: REGION,
      type: "campaign",
      name: `c-${n}`,
      status: "ACTIVE",
      created_at: now,
      updated_at: now,
      summary: {},
    },
    {
      Key0: "dev",
      Key1: n % 2 ? "prod" : "wrong",
      Key2: "staging",
      CostCenter: `CC-${1000 + n}`,
      [`tmp-${n % 7}`]: "x",
      Owner: "a@b.example",
    },
  ]);
  const round = () => {
    for (const [resource, tags] of resources) judge(set, resource, tags, now);
  };
  for (let n = 0; n < 100; n++) round();
  const rounds = 400;
  const begin = performance.now();
  for (let n = 0; n < rounds; n++) round();
  const per_second = (rounds * resources.length) / ((performance.now() - begin) / 1000);
  return [{ what: "judge: resources × 10 rules", measured: per_second, bound: 200_000, unit: "/s", most: false }];
}

/** Calls of a first and a steady scan of one target, and the processor time of the steady one. */
async function benchScan(): Promise<Measure[]> {
  return withSandbox({ never_tagged_share: 0.03 }, async (sandbox, run) => {
    const { pages, never_tagged } = count(sandbox);
    const first = JSON.parse((await run("scan", "--regions", REGION, "--json")).stdout) as {
      api_calls: { total: number };
    };
    const startup = await run("migrate");
    const usage = await run("scan", "--regions", REGION, "--json");
    const steady = JSON.parse(usage.stdout) as { api_calls: { total: number } };
    return [
      {
        what: "first scan: calls",
        measured: first.api_calls.total,
        bound: 1.05 * (2 * pages + never_tagged),
        unit: "",
        most: true,
      },
      { what: "steady scan: calls", measured: steady.api_calls.total, bound: 1.02 * 2 * pages, unit: "", most: true },
      {
        what: "steady scan: user time",
        measured: usage.user_seconds - startup.user_seconds,
        bound: 1.5,
        unit: " s",
        most: true,
      },
      { what: "start-up with the embedded database", measured: startup.seconds, bound: 1.5, unit: " s", most: true },
    ];
  });
}

/** Time of a steady scan with a slow network, beyond the start-up. */
async function benchLatency(): Promise<Measure[]> {
  return withSandbox({ never_tagged_share: 0.03 }, async (sandbox, run) => {
    await run("scan", "--regions", REGION, "--json");
    sandbox.setLatency(LATENCY_MS);
    const { seconds } = await run("scan", "--regions", REGION, "--json");
    const startup = await run("migrate");
    const bound = (1.3 * (count(sandbox).longest + 2) * LATENCY_MS) / 1000;
    return [
      {
        what: `steady scan at ${LATENCY_MS} ms a call: time`,
        measured: seconds - startup.seconds,
        bound,
        unit: " s",
        most: true,
      },
    ];
  });
}

/** Pages of a hundred over all types, of the largest type, and resources that never had a tag. */
function count(sandbox: Sandbox): { pages: number; longest: number; never_tagged: number } {
  const by_type = new Map<string, number>();
  let never_tagged = 0;
  for (const resource of sandbox.resources({ region: REGION })) {
    by_type.set(resource.type, (by_type.get(resource.type) ?? 0) + 1);
    if (!resource.ever_tagged) never_tagged++;
  }
  const pages = [...by_type.values()].map((resources) => Math.ceil(resources / 100));
  return { pages: pages.reduce((sum, one) => sum + one, 0), longest: Math.max(...pages), never_tagged };
}

type Run = (...args: string[]) => Promise<Usage>;

/** A world of one account and one region, and a way to run commands on it with a database of their own. */
async function withSandbox(
  options: SandboxOptions,
  body: (sandbox: Sandbox, run: Run) => Promise<Measure[]>,
): Promise<Measure[]> {
  const folder = await mkdtemp(join(tmpdir(), "tagwarden-bench-"));
  const sandbox = await startSandbox({ resources: RESOURCES, accounts: 0, regions: [REGION], ...options });
  try {
    return await body(sandbox, (...args) => runCommand(sandbox.url, folder, args));
  } finally {
    await sandbox.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the compiled command line; bash knows the processor time of a child that has ended, Node does not. */
function runCommand(endpoint: string, folder: string, args: readonly string[]): Promise<Usage> {
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_REGION: REGION,
    TAGWARDEN_DATA_DIR: folder,
    DATABASE_URL: "",
    TIMEFORMAT: "%R %U",
  };
  const script = `time "$0" dist/cli/tagwarden.js "$@" 2>/dev/null`;
  const child = spawn("bash", ["-c", script, process.execPath, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let times = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (times += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      const [seconds = Number.NaN, user_seconds = Number.NaN] = times.trim().split(/\s+/).map(Number);
      // 3: some readings are missing, which the sandbox may well cause; the report is there.
      if (code === 0 || code === 3) resolve({ stdout, seconds, user_seconds });
      else reject(new Error(`tagwarden ${args.join(" ")} ended with exit code ${code}: ${stdout}${times}`));
    });
  });
}

const wanted = process.argv.slice(2);
const chosen = Object.entries(BENCHMARKS).filter(
  ([name]) => wanted.length === 0 || wanted.some((word) => name.includes(word)),
);
if (chosen.length === 0) throw new Error(`no such benchmark; there are ${Object.keys(BENCHMARKS).join(", ")}`);
for (const [, bench] of chosen) {
  for (const { what, measured, bound, unit, most } of await bench()) {
    const met = most ? measured <= bound : measured >= bound;
    if (!met) process.exitCode = 1;
    const number = (value: number) => value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
    const relation = most ? "at most" : "at least";
    console.log(
      `${what.padEnd(44)} ${number(measured)}${unit}, ${relation} ${number(bound)}${unit}: ratio ${(measured / bound).toFixed(2)} ${met ? "ok" : "MISSED"}`,
    );
  }
}
