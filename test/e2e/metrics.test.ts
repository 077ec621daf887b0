import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { startService } from "../../src/main.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { sandboxEnvironment, startCli, workFolder } from "../support/cli.ts";
import { openTestDatabase } from "../support/database.ts";
import { type Metric, parsePrometheus } from "../support/prometheus.ts";

const POLICY = "version: 1\nid: p\nrules:\n  - {id: owner, key: Owner, required: true}\n";

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
let sandbox: Sandbox;
beforeAll(async () => {
  opened = await openTestDatabase("postgres");
  sandbox = await startSandbox({ resources: 60, accounts: 1, regions: ["us-east-1"] });
});
afterAll(async () => {
  await sandbox.close();
  await opened.close();
});

async function scrape(url: string): Promise<Map<string, Metric>> {
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  return parsePrometheus(await response.text());
}

/** A process of ours, the addresses that it names, and its end. */
function start(words: string[], cwd: string, env: Record<string, string>) {
  const { process, ended } = startCli(words, { cwd, env });
  onTestFinished(() => void process.kill("SIGKILL"));
  let said = "";
  process.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const find = (name: string) => new RegExp(`${name}: (http://127\\.0\\.0\\.1:\\d+)`).exec(said)?.[1];
  return {
    address: async (name: string): Promise<string> => {
      await expect.poll(() => (find(name) ? `${name}: ` : said), { timeout: 60_000 }).toContain(`${name}: `);
      return find(name) ?? "";
    },
    stop: async () => {
      process.kill("SIGTERM");
      return (await ended).code;
    },
  };
}

test(
  "a service and a worker each tell their own calls of AWS, and the service alone what is in the database",
  { timeout: 300_000 },
  async () => {
    const policies = await workFolder({ "p.yaml": POLICY });
    const cwd = await workFolder({ "tagwarden.yaml": "targets: {regions: [us-east-1]}\n" });
    const env = {
      ...sandboxEnvironment(sandbox.url),
      DATABASE_URL: opened.url ?? "",
      TAGWARDEN_POLICIES: policies,
      PORT: "0",
      METRICS_PORT: "0",
      LOG_LEVEL: "warn",
    };
    const worker = start(["worker"], cwd, env);
    const at = await worker.address("Metrics");
    expect((await fetch(`${at}/livez`)).status).toBe(200);
    expect((await fetch(`${at}/readyz`)).status).toBe(200);
    expect((await fetch(`${at}/api/v1/findings`)).status).toBe(404);
    // It works on nothing itself, so all calls for resources are the worker's.
    for (const [name, value] of Object.entries(sandboxEnvironment(sandbox.url))) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const service = await startService({
      config: await loadConfig(env, cwd),
      sandbox: "remote",
      sandbox_port: 0,
      folder: cwd,
      workers: 0,
      now: () => new Date(),
      say: () => {},
    });
    onTestFinished(() => service.stop());
    const url = service.metrics_url ?? "";
    expect(url).not.toBe(service.url);
    await fetch(`${service.url}/scans`);
    const succeeded = async () => {
      const samples = (await scrape(url)).get("tagwarden_scans")?.samples ?? [];
      return samples.find(({ labels }) => labels["state"] === "succeeded")?.value;
    };
    await expect.poll(succeeded, { timeout: 200_000, interval: 1000 }).toBe(1);
    const [served, worked] = [await scrape(url), await scrape(at)];
    expect(lists(worked)).toBe(13);
    expect(lists(served)).toBe(0);
    expect(worked.has("tagwarden_scans")).toBe(false);
    expect(worked.get("tagwarden_leases_held")?.samples[0]?.value).toBe(0);
    const routes = served.get("tagwarden_http_request_duration_seconds")?.samples.map(({ labels }) => labels["route"]);
    expect(new Set(routes)).toEqual(new Set(["/scans"]));
    await service.stop();
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
    expect(await worker.stop()).toBe(0);
    await expect(fetch(`${at}/livez`)).rejects.toThrow();
  },
);

/** Operations that list, of which calls were made. */
function lists(metrics: Map<string, Metric>): number {
  const samples = metrics.get("tagwarden_aws_requests_total")?.samples ?? [];
  return new Set(
    samples.flatMap(({ labels: { operation = "" } }) =>
      /^List.*[^s]s$/.test(operation) && !operation.startsWith("ListTags") ? operation : [],
    ),
  ).size;
}
