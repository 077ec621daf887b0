import { readFileSync } from "node:fs";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { held_closures } from "../../src/findings/schema.ts";
import { ProcessCounters } from "../../src/http/metrics/counters.ts";
import { Remembered } from "../../src/http/metrics/remembered.ts";
import { type ScrapeDeps, scraper } from "../../src/http/metrics/scrape.ts";
import { createMetricsApp, serveMetrics } from "../../src/http/metrics/server.ts";
import { compliance, openBySeverity } from "../../src/reports/store.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { createScan } from "../../src/scan/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { parsePrometheus } from "../support/prometheus.ts";
import { awsOf, scanAll } from "../support/scan.ts";
import { NO_DATABASE, openApp } from "./open-app.ts";

/** The metrics of a process as Prometheus sees them. */
async function scrapeOf(deps: Partial<ScrapeDeps> & Pick<ScrapeDeps, "database">) {
  const scrape = scraper({
    counters: new ProcessCounters("1.2.3"),
    reachable: async () => true,
    leasesHeld: () => 3,
    service: { policyProblem: () => false },
    ...deps,
  });
  const ready = async () => ({ ok: true, checks: {} });
  const server = await serveMetrics(createMetricsApp({ scrape, ready }), { host: "127.0.0.1", port: 0 });
  try {
    const response = await fetch(`${server.url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    return read(await response.text());
  } finally {
    await server.close();
  }
}

function read(text: string) {
  const metrics = parsePrometheus(text);
  /** The value of a metric without labels, or those of one with a label, by that. */
  const value = (name: string) => metrics.get(name)?.samples[0]?.value;
  const by = (name: string) =>
    Object.fromEntries(
      (metrics.get(name)?.samples ?? []).map(({ labels, value }) => [Object.values(labels).join(" "), value]),
    );
  return { metrics, value, by, text };
}

/** Labels and what their values may be: nothing of them grows with accounts, resources, tags or policies. */
const LABELS: Record<string, RegExp> = {
  version: /^[\w.-]+$/,
  service: /^(personalize|tagging|sts|organizations)$/,
  operation: /^[A-Z][A-Za-z]{3,50}$/,
  outcome: /^(ok|throttled|denied|error|aborted)$/,
  method: /^([A-Z]{3,7}|other)$/,
  route: /^(\/[\w/.:{}+-]*|other)$/,
  status: /^(\d{3}|[a-z_]+)$/,
  state: /^[a-z]+$/,
  trigger: /^(schedule|api|cli|start)$/,
  severity: /^(low|medium|high|critical)$/,
  le: /^(\+Inf|[\d.]+)$/,
};

const documented = [
  ...readFileSync("docs/operating.md", "utf8").matchAll(/^\| `(tagwarden_\w+)` +\| (\w+) +\| ((?:`\w+` ?)*) *\|/gm),
].map(([, name = "", type = "", labels = ""]) => ({ name, type, labels: labels.match(/\w+/g) ?? [] }));

describeOnBoth("the metrics of a service on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let sandbox: Sandbox;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    sandbox = await startSandbox({ resources: 80, accounts: 1, regions: ["us-east-1"] });
  });
  afterEach(() => emptyTables(opened.database));
  afterAll(async () => {
    await sandbox.close();
    await opened.close();
  });

  /** A scan in which a call was throttled and a list denied, with a process that counts and one more scan that waits. */
  async function busy() {
    const counters = new ProcessCounters("1.2.3");
    const aws = awsOf(sandbox, { onCall: counters.onCall });
    sandbox.calls.reset();
    sandbox.setFaults([
      { kind: "throttle", operation: "ListSolutions", times: 2 },
      { kind: "access_denied", operation: "ListCampaigns" },
    ]);
    await scanAll(opened.database, sandbox, { aws });
    aws.close();
    sandbox.setFaults([]);
    const targets = [{ partition: "aws", account_id: "111122223333", region: "us-east-1" }];
    const request = { targets, types: ["filter"], confirm_all: false, trigger: "api", requested_by: "ana" } as const;
    await createScan(opened.database, request, new Date(Date.now() - 60_000));
    await opened.database.insert(held_closures).values({
      scan_id: "019ccccc-0000-7000-8000-000000000000",
      finding_id: "f",
      account_id: "111122223333",
      region: "us-east-1",
      type: "filter",
      resolution: "fixed_observed",
      held_at: new Date(),
    });
    const { app } = openApp(opened.database, { onAnswer: counters.onAnswer });
    for (const path of ["/", "/scans/019ccccc-0000-7000-8000-000000000000", "/api/v1/findings", "/etc/passwd"])
      await app.request(path);
    await app.request("/api/v1/resources/arn%3Aaws%3Apersonalize%3Aus-east-1%3A111122223333%3Acampaign%2Fnone");
    return counters;
  }

  test("the calls of AWS are those that AWS got, each attempt with how it ended", async () => {
    const counters = await busy();
    const { metrics } = await scrapeOf({ database: opened.database, counters });
    const samples = metrics.get("tagwarden_aws_requests_total")?.samples ?? [];
    const of = (operation: string, outcome: string) =>
      samples.find(({ labels }) => labels["operation"] === operation && labels["outcome"] === outcome)?.value;
    for (const [operation, calls] of Object.entries(sandbox.calls.by_operation)) {
      const counted = samples.filter(({ labels }) => labels["operation"] === operation);
      expect(
        counted.reduce((sum, { value }) => sum + value, 0),
        operation,
      ).toBe(calls);
    }
    expect(of("ListSolutions", "throttled")).toBe(2);
    expect(of("ListCampaigns", "ok")).toBeUndefined();
    expect(of("ListCampaigns", "denied")).toBeGreaterThan(0);
    const services = new Map(samples.map(({ labels }) => [labels["operation"], labels["service"]]));
    expect(services.get("ListCampaigns")).toBe("personalize");
    expect(services.get("GetResources")).toBe("tagging");
    expect(services.get("AssumeRole")).toBe("sts");
    const durations = metrics.get("tagwarden_aws_request_duration_seconds")?.samples ?? [];
    const timed = durations.filter(({ name }) => name.endsWith("_count")).reduce((sum, { value }) => sum + value, 0);
    expect(timed).toBe(sandbox.calls.total);
  });

  test("the numbers of the database are those of the reports", async () => {
    await busy();
    const { value, by, metrics } = await scrapeOf({ database: opened.database });
    const expected = await compliance(opened.database);
    const { compliant, noncompliant, exempt, unknown, not_applicable } = expected;
    expect(by("tagwarden_resources")).toEqual({ compliant, noncompliant, exempt, unknown, not_applicable });
    expect(expected.units_never_read).toBeGreaterThan(1);
    expect(by("tagwarden_findings_open")).toEqual(await openBySeverity(opened.database));
    expect(value("tagwarden_compliance_ratio")).toBe(expected.ratio);
    // A list was denied from the start, and a target waits that nobody has read: how much is covered nobody knows.
    expect(metrics.has("tagwarden_coverage_ratio")).toBe(false);
    expect(value("tagwarden_units_never_read")).toBe(expected.units_never_read);
    expect(value("tagwarden_units_incomplete")).toBe(expected.units_incomplete);
    expect(value("tagwarden_held_closures")).toBe(1);
    expect(by("tagwarden_scans")).toMatchObject({ queued: 1, running: 0, partial: 1, succeeded: 0 });
    expect(by("tagwarden_scan_targets")).toEqual({ queued: 1, running: 0, ended: 0, cancelled: 0 });
    expect(by("tagwarden_scan_units")).toMatchObject({ pending: 1, complete: 0 });
    expect(value("tagwarden_scan_oldest_queued_target_age_seconds")).toBeGreaterThan(50);
    expect(by("tagwarden_scan_last_success_timestamp_seconds")).toEqual({});
    expect(Object.keys(by("tagwarden_scan_last_end_timestamp_seconds"))).toEqual(["partial"]);
    expect(by("tagwarden_scan_duration_seconds")["cli"]).toBeGreaterThan(0);
    expect(value("tagwarden_scan_figures_timestamp_seconds")).toBeGreaterThan(1_700_000_000);
    expect(value("tagwarden_leases_held")).toBe(3);
    expect(value("tagwarden_policy_problem")).toBe(0);
    expect(value("tagwarden_database_up")).toBe(1);
  });

  test("a scan that succeeded tells when, so that its age can be watched", async () => {
    const before = Date.now() / 1000;
    await scanAll(opened.database, sandbox);
    const { by, value } = await scrapeOf({ database: opened.database });
    expect(by("tagwarden_scan_last_success_timestamp_seconds")["cli"]).toBeGreaterThan(before);
    expect(value("tagwarden_coverage_ratio")).toBeGreaterThan(0.9);
    expect(value("tagwarden_scan_oldest_queued_target_age_seconds")).toBe(0);
  });

  test("every metric has a HELP, a name with its unit, and labels that do not grow; docs/operating.md has them all", async () => {
    const counters = await busy();
    await scanAll(opened.database, sandbox);
    const { metrics } = await scrapeOf({ database: opened.database, counters });
    const values = [...metrics.values()].flatMap(({ samples }) =>
      samples.flatMap(({ labels }) => Object.values(labels)),
    );
    expect(values.filter((value) => /arn:|\d{12}/.test(value))).toEqual([]);
    const ours = [...metrics.values()].filter(({ name }) => name.startsWith("tagwarden_"));
    for (const { name, type, help, samples } of ours) {
      expect(help.length, name).toBeGreaterThan(10);
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      if (/_(timestamp|duration|age)(_|$)/.test(name)) expect(name).toMatch(/_seconds$/);
      for (const { labels } of samples) {
        for (const [label, value] of Object.entries(labels)) expect(value, `${name} ${label}`).toMatch(LABELS[label]!);
      }
    }
    for (const { name, samples } of metrics.values()) {
      if (name.startsWith("tagwarden_")) continue;
      expect(name).toMatch(/^(process|nodejs)_/);
      const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
      expect(
        [...labels].filter((label) => !/^(type|kind|space|version|major|minor|patch|le|quantile)$/.test(label)),
      ).toEqual([]);
    }
    const real = ours.map(({ name, type, samples }) => {
      const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)).filter((label) => label !== "le"));
      return { name, type, labels: [...labels].toSorted() };
    });
    const byName = (all: typeof real) => all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    // A unit of the denied account was never read, so that coverage is not known.
    const never = documented.filter(({ name }) => name === "tagwarden_coverage_ratio" && !metrics.has(name));
    expect(byName([...real, ...never])).toEqual(
      byName(documented.map(({ labels, ...metric }) => ({ ...metric, labels: [...labels].toSorted() }))),
    );
  });

  test("a worker tells of itself alone", async () => {
    const { metrics, value } = await scrapeOf({ database: opened.database, service: null });
    expect(value("tagwarden_leases_held")).toBe(3);
    expect(value("tagwarden_database_up")).toBe(1);
    const told = [...metrics.keys()].filter((name) => name.startsWith("tagwarden_")).toSorted();
    expect(told).toEqual([
      "tagwarden_aws_request_duration_seconds",
      "tagwarden_aws_requests_total",
      "tagwarden_build_info",
      "tagwarden_database_up",
      "tagwarden_http_request_duration_seconds",
      "tagwarden_leases_held",
    ]);
  });

  test("however many scrape at the same time, the database is asked once, and again after ten seconds", async () => {
    let now = 0;
    const queries: string[] = [];
    const database = new Proxy(opened.database, {
      get: (target, key, receiver) => {
        if (key === "transaction") queries.push(key);
        const found: unknown = Reflect.get(target, key, receiver);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    const scrape = scraper({
      counters: new ProcessCounters("1.2.3"),
      database,
      reachable: async () => true,
      leasesHeld: () => 0,
      service: { policyProblem: () => false },
      clock: () => now,
    });
    const texts = await Promise.all(Array.from({ length: 10 }, () => scrape()));
    for (const text of texts) expect(read(text).value("tagwarden_held_closures")).toBe(0);
    expect(queries).toHaveLength(2);
    now = 9_999;
    await scrape();
    expect(queries).toHaveLength(2);
    now = 10_000;
    await scrape();
    expect(queries).toHaveLength(3);
    await opened.database.execute(sql`select 1`);
  });
});

describe("when the database is gone", () => {
  test("a scrape answers what the process knows, says so, and shows no number as if it were fresh", async () => {
    const counters = new ProcessCounters("1.2.3");
    counters.onCall({ service: "sts", operation: "AssumeRole", outcome: "ok", seconds: 0.1 });
    const { metrics, value } = await scrapeOf({ database: NO_DATABASE, counters, reachable: async () => false });
    expect(value("tagwarden_database_up")).toBe(0);
    expect(value("tagwarden_aws_requests_total")).toBe(1);
    expect(
      [...metrics.keys()].filter((name) => /^tagwarden_.*(scan|compliance|findings|resources$)/.test(name)),
    ).toEqual([]);
  });

  test("the process lives, and is not ready", async () => {
    const app = createMetricsApp({
      scrape: async () => "",
      ready: async () => ({ ok: false, checks: { database: "not reachable" } }),
    });
    expect((await app.request("/livez")).status).toBe(200);
    expect((await app.request("/readyz")).status).toBe(503);
  });
});

describe("numbers that cost something to read", () => {
  const times = { fresh_ms: 10, kept_ms: 100, wait_ms: 20 };

  test("are read anew when they are old, and shown a while longer where that takes its time", async () => {
    let now = 0;
    const answers: ((value: number) => void)[] = [];
    const read = () => new Promise<number>((resolve) => answers.push(resolve));
    const remembered = new Remembered(read, times, () => now);
    const first = remembered.get();
    answers[0]!(1);
    expect(await first).toBe(1);
    now = 50;
    expect(await remembered.get()).toBe(1);
    expect(answers).toHaveLength(2);
    now = 100;
    expect(await remembered.get()).toBeNull();
    expect(answers).toHaveLength(2);
    answers[1]!(2);
    // What is read is as old as the moment at which the reading began.
    await expect.poll(() => remembered.get()).toBe(2);
  });

  test("are forgotten when they cannot be read", async () => {
    let now = 0;
    let works = true;
    const read = async () => {
      if (!works) throw new Error("gone");
      return 1;
    };
    const remembered = new Remembered(read, times, () => now);
    expect(await remembered.get()).toBe(1);
    works = false;
    expect(await remembered.get()).toBe(1);
    now = 10;
    expect(await remembered.get()).toBeNull();
    works = true;
    expect(await remembered.get()).toBe(1);
  });
});

test("a request is counted under the pattern of its route, whatever its path and its method", async () => {
  const counters = new ProcessCounters("1.2.3");
  const { app } = openApp(NO_DATABASE, { onAnswer: counters.onAnswer });
  for (let i = 0; i < 20; i++) {
    await app.request(`/nothing-${i}`);
    await app.request(`/api/v1/findings/f${i}`);
    await app.request(`/scans/${i}`);
    await app.request(`/livez`, { method: `X${i}` });
    await app.request("/api/v1/findings", { method: "DELETE" });
  }
  const { metrics } = await scrapeOf({ database: NO_DATABASE, counters });
  const counted = metrics
    .get("tagwarden_http_request_duration_seconds")
    ?.samples.filter(({ name }) => name.endsWith("_count"));
  expect(
    counted?.map(({ labels: { method, route, status }, value }) => `${method} ${route} ${status} ${value}`).toSorted(),
  ).toEqual(
    [
      "DELETE other 405 20",
      "GET /api/v1/findings/:id 400 20",
      "GET /scans/:id 404 20",
      "GET other 404 20",
      "other other 405 20",
    ].toSorted(),
  );
});

describe("docs/alerts.yaml", () => {
  type Rule = { alert: string; expr: string; labels: Record<string, string>; annotations: Record<string, string> };
  const { groups } = parse(readFileSync("docs/alerts.yaml", "utf8")) as { groups: { name: string; rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);

  test("its rules speak of metrics and labels that exist, and of commands in words", () => {
    expect(rules.length).toBeGreaterThan(5);
    const known = new Map(documented.map(({ name, labels }) => [name, labels as string[]]));
    for (const { alert, expr, annotations } of rules) {
      expect(annotations["summary"], alert).toBeTruthy();
      const used = [...expr.matchAll(/(tagwarden_\w+)(?:\{(\w+)=)?/g)];
      expect(used.length, alert).toBeGreaterThan(0);
      for (const [, name = "", label] of used) {
        expect([...known.keys()], alert).toContain(name);
        if (label !== undefined) expect(known.get(name), alert).toContain(label);
      }
    }
  });

  test("it watches the age of the last success, units never read, throttling and held closures", () => {
    const all = rules.map(({ expr }) => expr).join("\n");
    for (const name of [
      "tagwarden_scan_last_success_timestamp_seconds",
      "tagwarden_units_never_read",
      'tagwarden_aws_requests_total{outcome="throttled"}',
      "tagwarden_held_closures",
    ])
      expect(all).toContain(name);
  });
});
