import { afterAll, beforeAll, expect, test } from "vitest";
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

const total = (metrics: Map<string, Metric>, name: string) =>
  (metrics.get(name)?.samples ?? []).reduce((sum, { value }) => sum + value, 0);

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
    const worker = startCli(["worker"], { cwd, env });
    let said = "";
    worker.process.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const address = () => /Metrics: (http:\/\/127\.0\.0\.1:\d+)\/metrics/.exec(said)?.[1];
    await expect.poll(address, { timeout: 60_000 }).toBeDefined();
    const at = address() ?? "";
    expect((await fetch(`${at}/livez`)).status).toBe(200);
    expect((await fetch(`${at}/readyz`)).status).toBe(200);
    expect((await fetch(`${at}/api/v1/findings`)).status).toBe(404);

    // It works on nothing itself, so all calls for resources are the worker's.
    const service = await startService({
      config: {
        ...(await loadConfig(env, cwd)),
        endpoint: sandbox.url,
      },
      sandbox: "remote",
      sandbox_port: 0,
      folder: cwd,
      workers: 0,
      now: () => new Date(),
      say: () => {},
    });
    try {
      const url = service.metrics_url ?? "";
      expect(url).not.toBe(service.url);
      await fetch(`${service.url}/scans`);
      const of = async (metric: string) =>
        Object.fromEntries(
          (await scrape(url)).get(metric)?.samples.map(({ labels, value }) => [labels["state"] ?? "", value]) ?? [],
        );
      await expect
        .poll(() => of("tagwarden_scans"), { timeout: 200_000, interval: 1000 })
        .toMatchObject({ succeeded: 1 });
      const [served, worked] = [await scrape(url), await scrape(at)];
      const lists = (metrics: Map<string, Metric>) =>
        metrics
          .get("tagwarden_aws_requests_total")
          ?.samples.filter(({ labels }) => labels["operation"]?.startsWith("List")).length;
      expect(lists(worked)).toBeGreaterThanOrEqual(13);
      expect(lists(served)).toBe(0);
      expect(total(served, "tagwarden_findings_open")).toBeGreaterThan(0);
      expect(worked.has("tagwarden_findings_open")).toBe(false);
      const routes = served
        .get("tagwarden_http_request_duration_seconds")
        ?.samples.map(({ labels }) => labels["route"]);
      expect(new Set(routes)).toEqual(new Set(["/scans"]));
    } finally {
      await service.stop();
      worker.process.kill("SIGTERM");
    }
    expect((await worker.ended).code).toBe(0);
    await expect(fetch(`${at}/livez`)).rejects.toThrow();
  },
);
