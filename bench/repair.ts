// `npm run bench:repair [actions]`: a plan of ten thousand changes over ten accounts at 20 ms a call and the configured rates, as a team
// runs it: the built program on a PostgreSQL server of its own. Half-way somebody pauses repairs, then resumes, and the plan is
// applied to its end. Ends with 1 when a write follows later than allowed, when the counts do not add up, or when anything was written
// twice or not at all. Needs `npm run build`.
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DEFAULT_LIMITS } from "../src/inventory/limiter.ts";
import { startSandbox } from "../src/sandbox/server.ts";
import type { RemediationCounts } from "../src/remediation/counts.ts";
import { startPostgres } from "../test/support/postgres.ts";

const ACTIONS = Number(process.argv[2] ?? 10_000);
const ACCOUNTS = 10;
const LATENCY_MS = 20;
/** After a pause, no later than this may a write begin. */
const MOST_SECONDS = 5;
const PROGRAM = fileURLToPath(new URL("../dist/cli/tagwarden.js", import.meta.url));
const POLICY = `version: 1
id: bench
title: Everything is governed
rules:
  - {id: governed, key: Governed, required: true, values: ["yes"], fix: {missing: {value: "yes"}}}
`;

type Result = { readonly counts: RemediationCounts; readonly stopped: string | null };

const folder = await mkdtemp(join(tmpdir(), "tagwarden-bench-"));
const server = await startPostgres();
const sandbox = await startSandbox({ resources: ACTIONS, accounts: ACCOUNTS - 1, regions: ["us-east-1"] });
try {
  const { accounts, role_name } = sandbox.organization;
  await server.createDatabase("bench");
  await mkdir(join(folder, "policies"));
  await writeFile(join(folder, "policies", "bench.yaml"), POLICY);
  const ids = accounts.map(({ id }) => JSON.stringify(id)).join(", ");
  await writeFile(
    join(folder, "tagwarden.yaml"),
    `targets: {role: ${role_name}, accounts: [${ids}], regions: [us-east-1]}\nremediation: {max_changes: 1000000, max_changes_per_target: 1000000, max_changes_per_hour: 1000000}\n`,
  );
  await run(["scan", "--json"]);
  const { plan } = JSON.parse((await run(["plan", "--json"])).stdout) as { plan: { id: string } };
  const plan_id = plan.id;
  await run(["plans", "approve", plan_id]);
  sandbox.setLatency(LATENCY_MS);
  sandbox.calls.reset();

  const began = performance.now();
  const first = run(["apply", plan_id, "--json"]);
  while (writes() < ACTIONS / 2) await delay(50);
  await run(["pause", "--reason", "a benchmark"]);
  const paused = performance.now();
  const paused_at = writes();
  let last = paused;
  let seen = paused_at;
  const watching = setInterval(() => {
    if (writes() > seen) [seen, last] = [writes(), performance.now()];
  }, 10);
  const stopped = JSON.parse((await first).stdout) as Result;
  clearInterval(watching);
  const idle = writes();
  const refused = await run(["apply", plan_id, "--json"], 3);
  await run(["resume"]);
  const resumed = performance.now();
  const ended = JSON.parse((await run(["apply", plan_id, "--json"])).stdout) as Result;
  const { planned, verified, failed, conflict, ...others } = ended.counts;
  const seconds = (paused - began + performance.now() - resumed) / 1000;

  // Each action reads twice and writes once; each account has a limit of its own.
  const bound = (2 * ACTIONS) / ACCOUNTS / DEFAULT_LIMITS.read.most;
  const after = (last - paused) / 1000;
  const tagged = sandbox
    .resources()
    .filter(({ tags }) => tags.get("Governed") === "yes")
    .toArray().length;
  process.stdout.write(
    `${ACTIONS} changes in ${ACCOUNTS} accounts, ${LATENCY_MS} ms a call. ${cpus().length} × ${cpus()[0]?.model ?? "cpu"}, Node ${process.version}\n` +
      `paused after ${paused_at} writes: the last one ${after.toFixed(2)} s later (at most ${MOST_SECONDS}), ${idle - paused_at} in that time; stopped: ${stopped.stopped}\n` +
      `while paused: ${refused.stdout.trim() || refused.stderr.trim()}\n` +
      `${JSON.stringify(ended)}\n` +
      `${seconds.toFixed(1)} s of applying, ${(seconds / bound).toFixed(2)} × ${bound.toFixed(0)} s, what ${DEFAULT_LIMITS.read.most} readings a second in each account take\n`,
  );
  const sum = verified + failed + conflict + Object.values(others).reduce((total, count) => total + count, 0);
  const right =
    after <= MOST_SECONDS &&
    stopped.stopped !== null &&
    idle < verified &&
    failed === 0 &&
    conflict === 0 &&
    sum === planned &&
    // What a stack manages is blocked, and what is being deleted is under no rule.
    tagged === verified &&
    writes() === verified;
  process.stdout.write(`${right ? "right" : "wrong"}: ${tagged} tagged, ${writes()} writes\n`);
  process.exitCode = right ? 0 : 1;
} finally {
  await sandbox.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

function writes(): number {
  const { TagResource = 0, UntagResource = 0 } = sandbox.calls.by_operation;
  return TagResource + UntagResource;
}

/** Runs the program to its end. Throws unless it ends with 0, with 3 where an action has to be left, or as expected. */
async function run(words: string[], expected?: number): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [PROGRAM, ...words], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      DATABASE_URL: `${server.url}/bench`,
      AWS_ENDPOINT_URL: sandbox.url,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_REGION: "us-east-1",
    },
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  if (expected === undefined ? code !== 0 && code !== 3 : code !== expected)
    throw new Error(`tagwarden ${words.join(" ")} ended with ${code}:\n${output.stderr}`);
  return output;
}
