// `npm run bench:organization [accounts] [resources]`: a scan of a whole organization in every region of Personalize, as a user
// runs it: the built program, accounts found by AWS Organizations, the embedded database. Needs Linux, for /proc.
import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ACCOUNTS = Number(process.argv[2] ?? 100);
const RESOURCES = Number(process.argv[3] ?? 20_000);
const PROGRAM = fileURLToPath(new URL("../dist/cli/tagwarden.js", import.meta.url));
const POLICIES = fileURLToPath(new URL("../policies", import.meta.url));
const CONFIG = "targets:\n  organization: {}\n  regions: all\n  role: TagwardenAudit\n";
const TYPES = 13;

type Report = {
  readonly state: string;
  readonly api_calls: Record<string, number>;
  readonly units: readonly { readonly account_id: string; readonly region: string; readonly resources: number }[];
};

const folder = await mkdtemp(join(tmpdir(), "tagwarden-bench-"));
await cp(POLICIES, join(folder, "policies"), { recursive: true });
await writeFile(join(folder, "tagwarden.yaml"), CONFIG);
const size = ["--accounts", String(ACCOUNTS - 1), "--resources", String(RESOURCES)];
const sandbox = start(["sandbox", "--port", "0", "--regions", "all", "--empty-pages", ...size], {});
try {
  const env = await environmentOf(sandbox);
  process.stdout.write(
    `${ACCOUNTS} accounts, ${RESOURCES} resources. ${cpus().length} × ${cpus()[0]?.model ?? "cpu"}, Node ${process.version}\n`,
  );
  for (const which of ["first", "steady"]) {
    const { seconds, megabytes, stdout } = await run(["scan", "--json"], env);
    const { state, api_calls, units } = JSON.parse(stdout) as Report;
    const targets = new Set(units.map(({ account_id, region }) => `${account_id}/${region}`)).size;
    const found = units.reduce((sum, { resources }) => sum + resources, 0);
    process.stdout.write(
      `${which} scan: ${state}, ${targets} targets, ${units.length} units, ${found} resources, ${api_calls["total"]} calls, ${seconds.toFixed(1)} s (${((seconds / units.length) * 1000).toFixed(1)} ms a unit), ${megabytes} MB at most\n`,
    );
    if (state !== "succeeded" || units.length !== targets * TYPES || found !== RESOURCES)
      throw new Error("the scan is not of everything");
  }
} finally {
  sandbox.kill();
  await rm(folder, { recursive: true, force: true });
}

function start(words: string[], env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [PROGRAM, ...words], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...env },
  });
  child.stderr?.pipe(process.stderr);
  return child;
}

/** The lines that the sandbox prints for a shell. */
async function environmentOf(child: ChildProcess): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  if (!child.stdout) throw new Error("the sandbox has no output");
  for await (const line of createInterface(child.stdout)) {
    const [, name = "", value = ""] = /^export (\w+)=(.*)$/.exec(line) ?? [];
    env[name] = value;
    if (name === "AWS_REGION") return env;
  }
  throw new Error("the sandbox did not start");
}

async function run(words: string[], env: Record<string, string>) {
  const began = performance.now();
  const child = start(words, env);
  let stdout = "";
  let megabytes = 0;
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  const timer = setInterval(() => {
    void readFile(`/proc/${child.pid}/status`, "utf8").then(
      (text) => (megabytes = Math.round(Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024)),
      () => undefined,
    );
  }, 200);
  const code = await new Promise<number | null>((done) => child.once("close", done));
  clearInterval(timer);
  if (stdout === "") throw new Error(`tagwarden ${words.join(" ")} ended with ${code}`);
  return { seconds: (performance.now() - began) / 1000, megabytes, stdout };
}
