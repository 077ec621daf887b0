import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { auditUnit } from "../../src/audit.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { type HttpServer, serveApp } from "../../src/http/server.ts";
import { readUnit } from "../../src/inventory/aws/read-unit.ts";
import type { Aws } from "../../src/inventory/aws/session.ts";
import type { Observation } from "../../src/inventory/resource.ts";
import type { ResourceType } from "../../src/inventory/resource-types.ts";
import { resources, units } from "../../src/inventory/schema.ts";
import { storedReadings } from "../../src/inventory/store.ts";
import { log } from "../../src/log.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { autoRemediate } from "../../src/remediation/aws/auto.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { deleteOldDeliveries, receiveEvent } from "../../src/scan/event-store.ts";
import { event_deliveries } from "../../src/scan/schema.ts";
import { createScan } from "../../src/scan/store.ts";
import { startWork, type Work } from "../../src/scan/work.ts";
import { openApp } from "../http/open-app.ts";
import { callsOf, deliveryOf } from "../support/cloudtrail.ts";
import { BUDGETS } from "../remediation/world-settings.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { byIdentity, expectedFindings } from "../support/expected.ts";
import { awsOf, POLICIES, scanAll } from "../support/scan.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const HOUR_MS = 3_600_000;
const GOOD = { CostCenter: "CC-1234", Environment: "prod" };

describeOnBoth("events on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let sandbox: Sandbox;
  let aws: Aws;
  let working: Work;
  let server: HttpServer;
  const closing: (() => Promise<void> | void)[] = [];
  beforeAll(async () => {
    log.level = "silent";
    opened = await openTestDatabase(kind);
  });
  beforeEach(async () => {
    await emptyTables(opened.database);
    sandbox = await startSandbox({ resources: 60, accounts: 1, regions: ["us-east-1"] });
    closing.push(() => sandbox.close());
    aws = awsOf(sandbox);
    closing.push(() => aws.close());
    await scanAll(opened.database, sandbox);
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });
  afterAll(() => opened.close());

  /** A service that takes events over HTTP, and works on them. */
  async function serve(at_once = 2): Promise<void> {
    const now = () => new Date();
    working = await startWork({
      opened,
      aws,
      at_once,
      longest_ms: HOUR_MS,
      now,
      settings: { mass_close: { share: 0.3, count: 50 }, target_ms: HOUR_MS, accounts: {} },
      budgets: BUDGETS,
      afterScan: async () => {},
    });
    closing.push(() => working.stop());
    const receive = (event: Parameters<typeof receiveEvent>[2]) =>
      receiveEvent(opened.database, working.queue, event, now());
    const { app } = openApp(opened.database, { now, events: { keys: [KEY], receive } });
    server = await serveApp(app, { host: "127.0.0.1", port: 0 });
    closing.push(() => server.close());
  }

  async function post(delivery: unknown): Promise<unknown> {
    const response = await fetch(`${server.url}/api/v1/events`, {
      method: "POST",
      headers: {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Amazon/EventBridge/ApiDestinations",
        "x-api-key": KEY,
      },
      body: JSON.stringify(delivery),
    });
    expect(response.status).toBe(202);
    return response.json();
  }
  const TAKEN = { accepted: true, deduplicated: false, reason: null };

  async function deliveries() {
    return opened.database.select().from(event_deliveries).orderBy(event_deliveries.received_at, event_deliveries.id);
  }
  async function untilHandled(): Promise<Awaited<ReturnType<typeof deliveries>>> {
    const waiting = async () => (await deliveries()).filter(({ state }) => state === "received").length;
    await expect.poll(waiting, { timeout: 60_000 }).toBe(0);
    return deliveries();
  }
  async function open(arn: string): Promise<string[]> {
    const rows = await opened.database.select().from(findings).where(eq(findings.arn, arn));
    return rows.flatMap(({ state, rule_id }) => (state === "open" ? rule_id : [])).toSorted();
  }
  async function rowOf(arn: string) {
    const [row] = await opened.database.select().from(resources).where(eq(resources.arn, arn));
    return row;
  }
  /** All that is known, as it reads apart from when and by what it was written. */
  async function content() {
    const rows = await opened.database.select().from(resources).orderBy(resources.arn);
    const found = await opened.database.select().from(findings).orderBy(findings.id);
    const story = await opened.database.select().from(finding_events).orderBy(finding_events.id);
    return {
      resources: rows.map((row) => ({
        ...row,
        in_index: null,
        digest: null,
        recorded_at: null,
        recorded_scan_id: null,
      })),
      found,
      story,
    };
  }
  async function everything() {
    const open = await opened.database.select().from(findings).where(eq(findings.state, "open"));
    return open.map(({ arn, rule_id: rule, key, kind }) => ({ arn, rule, key, kind })).toSorted(byIdentity);
  }
  const target = () => ({ account_id: sandbox.organization.accounts[0]!.id, region: "us-east-1" });

  test("a resource that is made opens its findings, tags close them, their removal opens them again, its end closes all", async () => {
    await serve();
    const arn = sandbox.createResource(target(), "campaign", "new-shop", { Environment: "prod" });
    expect(await post(deliveryOf("CreateCampaign", arn))).toEqual(TAKEN);
    await expect.poll(() => open(arn), { timeout: 30_000 }).toEqual(["cost-center"]);
    expect(await rowOf(arn)).toMatchObject({ name: "new-shop", status: "ACTIVE", source: "service", gone_at: null });

    sandbox.setTags(arn, GOOD);
    await post(deliveryOf("TagResource", arn));
    await expect.poll(() => open(arn), { timeout: 30_000 }).toEqual([]);
    sandbox.setTags(arn, {});
    await post(deliveryOf("UntagResource", arn));
    await expect.poll(() => open(arn), { timeout: 30_000 }).toEqual(["cost-center", "environment"]);

    sandbox.deleteResource(arn);
    await post(deliveryOf("DeleteCampaign", arn));
    await expect.poll(() => open(arn), { timeout: 30_000 }).toEqual([]);
    expect((await rowOf(arn))?.gone_at).not.toBeNull();
    const states = (await untilHandled()).map(({ state, event_name }) => `${event_name} ${state}`);
    expect(states.toSorted()).toEqual([
      "CreateCampaign done",
      "DeleteCampaign done",
      "TagResource done",
      "UntagResource done",
    ]);
    const story = await opened.database
      .select()
      .from(finding_events)
      .where(eq(finding_events.actor, "event DeleteCampaign"));
    expect(story.map(({ event, cause, scan_id }) => [event, cause, scan_id])).toEqual([
      ["resolved", "resource_gone", null],
      ["resolved", "resource_gone", null],
    ]);
  });

  test("of every type: what an event recorded is what a scan sees, which then finds nothing to write", async () => {
    await serve();
    const names: [ResourceType, string][] = [
      ["dataset-group", "made"],
      ["dataset", "made/USERS"],
      ["dataset-import-job", "made"],
      ["dataset-export-job", "made"],
      ["data-deletion-job", "made"],
      ["event-tracker", "made"],
      ["filter", "made"],
      ["recommender", "made"],
      ["solution", "made"],
      ["solution-version", "made"],
      ["campaign", "made"],
      ["batch-inference-job", "made"],
      ["batch-segment-job", "made"],
    ];
    const arns: string[] = [];
    for (const [type, name] of names) {
      const arn = sandbox.createResource(target(), type, name);
      arns.push(arn);
      await post(deliveryOf(callsOf(type).created, arn));
    }
    expect(new Set((await untilHandled()).map(({ state }) => state))).toEqual(new Set(["done"]));
    expect((await everything()).filter(({ arn }) => arns.includes(arn))).toHaveLength(26);
    const before = await content();
    await scanAll(opened.database, sandbox);
    expect(await content()).toEqual(before);
    expect(await everything()).toEqual(expectedFindings(sandbox));
  });

  test("nothing that an event says of tags is believed", async () => {
    await serve();
    const arn = sandbox.createResource(target(), "campaign", "claimed");
    const detail = { requestParameters: { resourceArn: arn, tags: [{ tagKey: "CostCenter", tagValue: "CC-1234" }] } };
    await post(deliveryOf("TagResource", arn, { detail }));
    await expect.poll(() => open(arn), { timeout: 30_000 }).toEqual(["cost-center", "environment"]);
  });

  test("the same event twice is one, and events in any order end in what is", async () => {
    await serve();
    const arn = sandbox.createResource(target(), "campaign", "twice");
    const created = deliveryOf("CreateCampaign", arn, { time: new Date(Date.now() - 60_000) });
    const tagged = deliveryOf("TagResource", arn, { time: new Date(Date.now() - 30_000) });
    const deleted = deliveryOf("DeleteCampaign", arn);
    sandbox.deleteResource(arn);
    expect(await post(deleted)).toEqual(TAKEN);
    await untilHandled();
    sandbox.calls.reset();
    expect(await post(deleted)).toEqual({ accepted: true, deduplicated: true, reason: null });
    expect(await post(tagged)).toEqual(TAKEN);
    expect(await post(created)).toEqual(TAKEN);
    expect(await post(tagged)).toMatchObject({ deduplicated: true });
    expect((await untilHandled()).map(({ state }) => state)).toEqual(["done", "done", "done"]);
    expect(await rowOf(arn)).toBeUndefined();
    expect(await everything()).toEqual(expectedFindings(sandbox));
  });

  test("a burst about one resource becomes a look or a few, and one about many is complete", async () => {
    await serve();
    const arn = sandbox.createResource(target(), "campaign", "busy");
    await post(deliveryOf("CreateCampaign", arn));
    await untilHandled();
    sandbox.calls.reset();
    sandbox.setTags(arn, GOOD);
    await Promise.all(Array.from({ length: 200 }, () => post(deliveryOf("TagResource", arn))));
    expect(await untilHandled()).toHaveLength(201);
    expect(await open(arn)).toEqual([]);
    expect(sandbox.calls.by_operation["ListTagsForResource"] ?? 0).toBeLessThanOrEqual(20);
    expect(sandbox.calls.by_operation["DescribeCampaign"] ?? 0).toBe(0);

    const many = Array.from({ length: 60 }, (_, n) => sandbox.createResource(target(), "filter", `many-${n}`));
    await Promise.all(many.map((one) => post(deliveryOf("CreateFilter", one))));
    await untilHandled();
    expect(await everything()).toEqual(expectedFindings(sandbox));
  });

  test("our own repair is not read again, but someone else's change at the same time is", async () => {
    const set = compilePolicies([
      {
        path: "auto.yaml",
        text: "version: 1\nid: auto\ntitle: Auto\nremediation: auto\nrules:\n  - {id: environment, key: Environment, required: true, fix: {missing: {value: dev}}}\n",
      },
    ]);
    const arn = sandbox.createResource(target(), "campaign", "repaired");
    const { scan } = await scanAll(opened.database, sandbox, { set });
    await autoRemediate(
      { database: opened.database, aws, set, now: () => new Date(), budgets: BUDGETS, alone: true },
      scan.id,
      new AbortController().signal,
    );
    expect((await rowOf(arn))?.tags).toEqual({ Environment: "dev" });
    const principal = (await aws.principal(target().account_id)) ?? "";
    await serve();
    sandbox.calls.reset();
    await post(deliveryOf("TagResource", arn, { principal }));
    expect((await untilHandled()).map(({ state, reason }) => [state, reason])).toEqual([["ignored", "own write"]]);
    expect(sandbox.calls.by_operation["ListTagsForResource"]).toBeUndefined();

    // Our name, and no repair at that time; then another name, while a repair was under way.
    sandbox.setTags(arn, {});
    await post(deliveryOf("UntagResource", arn, { principal, time: new Date(Date.now() - HOUR_MS) }));
    await expect.poll(() => open(arn), { timeout: 30_000 }).toEqual(["environment"]);
    sandbox.setTags(arn, { Environment: "prod" });
    await post(deliveryOf("TagResource", arn));
    await expect.poll(() => open(arn), { timeout: 30_000 }).toEqual([]);
  });

  test("a new resource is judged by what stands above it, which only its description names", async () => {
    const set = compilePolicies([
      {
        path: "agree.yaml",
        text: "version: 1\nid: agree\nrules:\n  - {id: team, key: Team, agrees_with: parent}\n",
      },
    ]);
    for (const { arn } of sandbox.resources({ type: "dataset-group" })) sandbox.setTags(arn, { Team: "shop" });
    await scanAll(opened.database, sandbox, { set });
    await serve();
    const arn = sandbox.createResource(target(), "event-tracker", "clicks", { Team: "video" });
    await post(deliveryOf("CreateEventTracker", arn));
    await untilHandled();
    expect(await rowOf(arn)).toMatchObject({ standing: "judged", unknown_reason: null });
    expect(await open(arn)).toEqual(["team"]);
  });

  test("what no scan covers, and what cannot be understood, is kept as ignored with the reason", async () => {
    await serve();
    sandbox.calls.reset();
    const foreign = "arn:aws:personalize:us-east-1:999988887777:campaign/shop";
    expect(await post(deliveryOf("TagResource", foreign))).toMatchObject({
      accepted: false,
      reason: "its account, region and type were in no scan so far",
    });
    await opened.database.delete(units).where(eq(units.type, "filter"));
    const arn = sandbox.createResource(target(), "filter", "unscanned");
    expect(await post(deliveryOf("CreateFilter", arn))).toMatchObject({ accepted: false });
    expect(await post(deliveryOf("CreateFilter", arn, { detail: { responseElements: null } }))).toMatchObject({
      accepted: false,
      reason: "its record has no responseElements.filterArn",
    });
    expect((await deliveries()).map(({ state }) => state)).toEqual(["ignored", "ignored", "ignored"]);
    expect(sandbox.calls.total).toBe(0);
    expect(await rowOf(arn)).toBeUndefined();
  });

  test("a resource that cannot be read stays as it was, and the delivery says why", async () => {
    const arn = sandbox.createResource(target(), "campaign", "closed", GOOD);
    await scanAll(opened.database, sandbox);
    await serve();
    const before = await content();
    sandbox.setFaults([{ kind: "access_denied", operation: "ListTagsForResource" }]);
    sandbox.setTags(arn, {});
    await post(deliveryOf("UntagResource", arn));
    const [delivery] = await untilHandled();
    expect(delivery).toMatchObject({ state: "failed" });
    expect(delivery?.reason).toContain("ListTagsForResource: AccessDenied");
    expect(await content()).toEqual(before);
  });

  test("a resource in the inventory is looked at even where Describe is not allowed; another one is left to the next scan", async () => {
    const known = sandbox.createResource(target(), "recommender", "known");
    await scanAll(opened.database, sandbox);
    await serve();
    sandbox.setFaults([{ kind: "access_denied", operation: "DescribeRecommender" }]);
    sandbox.deleteResource(known);
    const made = sandbox.createResource(target(), "recommender", "made");
    await post(deliveryOf("DeleteRecommender", known));
    await post(deliveryOf("CreateRecommender", made));
    const ended = await untilHandled();
    expect(new Map(ended.map(({ event_name, state }) => [event_name, state]))).toEqual(
      new Map([
        ["DeleteRecommender", "done"],
        ["CreateRecommender", "failed"],
      ]),
    );
    expect((await rowOf(known))?.gone_at).not.toBeNull();
    expect(await rowOf(made)).toBeUndefined();
  });

  test("events that wait when a process ends, or whose job was lost, are taken up by the next", async () => {
    await serve(0);
    const arn = sandbox.createResource(target(), "campaign", "waiting");
    await post(deliveryOf("CreateCampaign", arn));
    await server.close();
    await working.stop();
    await opened.database.execute("delete from pgboss.job");
    await opened.database.update(event_deliveries).set({ queued_at: null });
    await serve();
    await expect.poll(() => open(arn), { timeout: 30_000 }).toEqual(["cost-center", "environment"]);
  });

  test("a scan that read before an event and records after it undoes nothing of it", async () => {
    await serve();
    const deleted = sandbox.createResource(target(), "campaign", "deleted", { Environment: "nope" });
    const tagged = sandbox.createResource(target(), "campaign", "tagged");
    const early = sandbox.createResource(target(), "campaign", "early", GOOD);
    await scanAll(opened.database, sandbox);
    // The scan finds changes in all of them, of which no event told.
    for (const arn of [deleted, tagged, early]) sandbox.setTags(arn, { Environment: "dev" });
    const listed = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    const scanning = scanCampaigns(async () => {
      listed.resolve();
      await told.promise;
    });
    await listed.promise;

    sandbox.setTags(tagged, GOOD);
    sandbox.setTags(early, { Environment: "prod" });
    sandbox.deleteResource(deleted);
    const made = sandbox.createResource(target(), "campaign", "made");
    for (const arn of [tagged, early]) await post(deliveryOf("TagResource", arn));
    await post(deliveryOf("DeleteCampaign", deleted));
    await post(deliveryOf("CreateCampaign", made));
    expect(new Set((await untilHandled()).map(({ state }) => state))).toEqual(new Set(["done"]));
    const after = await content();
    told.resolve();
    expect((await scanning).state).toBe("complete");
    expect(await content()).toEqual(after);
    expect(await open(tagged)).toEqual([]);
    expect(await open(early)).toEqual(["cost-center"]);
    expect(await open(deleted)).toEqual([]);
    expect((await rowOf(made))?.absences).toBe(0);
    expect(await everything()).toEqual(expectedFindings(sandbox));
  });

  /** A scan of the campaigns that pauses after it has read them all, and before it compares or records anything. */
  async function scanCampaigns(pause: () => Promise<void>) {
    const { database } = opened;
    const now = () => new Date();
    const unit = { partition: "aws", ...target(), type: "campaign" } as const;
    const request = {
      targets: [unit],
      types: ["campaign"],
      confirm_all: true,
      trigger: "api",
      requested_by: "x",
    } as const;
    const { scan } = (await createScan(database, request, now()))!;
    const reading = readUnit(await aws.target(unit), "campaign", {
      stored: (arns) => storedReadings(database, arns),
      confirm_all: true,
      now,
    });
    async function* paused(): AsyncGenerator<Observation[]> {
      const pages: Observation[][] = [];
      for await (const page of reading.observations) pages.push(page);
      await pause();
      yield* pages;
    }
    const settings = { mass_close: { share: 1, count: 1000 } };
    const part = { id: scan.id, epoch: scan.epoch };
    return auditUnit({
      database,
      scan: part,
      unit,
      reading: { ...reading, observations: paused() },
      set: POLICIES,
      settings,
      now,
    });
  }

  test("events are forgotten after two weeks, and not before", async () => {
    await serve(0);
    const arn = sandbox.createResource(target(), "campaign", "old");
    await post(deliveryOf("CreateCampaign", arn));
    const day = (n: number) => new Date(Date.now() + n * 24 * HOUR_MS);
    await deleteOldDeliveries(opened.database, day(13));
    expect(await deliveries()).toHaveLength(1);
    await deleteOldDeliveries(opened.database, day(15));
    expect(await deliveries()).toEqual([]);
  });
});
