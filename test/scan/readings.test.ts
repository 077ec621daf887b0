import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/db/client.ts";
import { storedCoverage, storeCoverage } from "../../src/inventory/db/coverage.ts";
import type { Unit } from "../../src/inventory/resource.ts";
import { index_coverage, scan_units } from "../../src/inventory/schema.ts";
import { indexChecks } from "../../src/reports/db/index-checks.ts";
import { scanReport } from "../../src/reports/scan-report.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { awsOf, scanAll } from "../support/scan.ts";

const DAY = 24 * 3_600_000;

describeOnBoth("a scan's readings, on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let database: Database;
  let sandbox: Sandbox;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  beforeEach(() => emptyTables(database));
  afterAll(() => opened.close());

  async function open(options: Parameters<typeof startSandbox>[0]) {
    sandbox = await startSandbox({ resources: 600, accounts: 0, regions: ["us-east-1"], ...options });
    return () => sandbox.close();
  }
  const coverage = () =>
    database
      .select()
      .from(index_coverage)
      .orderBy(index_coverage.type)
      .then((rows) => new Map(rows.map((row) => [row.type, row])));
  const asked = () => sandbox.calls.by_operation["GetResources"] ?? 0;

  test("types that the index does not cover are learned, and it is not asked about them until some days later", async () => {
    const close = await open({ unindexed_types: ["solution-version", "dataset-import-job"] });
    try {
      expect((await scanAll(database, sandbox)).state).toBe("succeeded");
      const learned = await coverage();
      expect(learned.get("solution-version")).toMatchObject({ covered: false, returned: 0 });
      expect(learned.get("dataset-import-job")?.missing).toBeGreaterThanOrEqual(3);
      expect(learned.get("filter")).toMatchObject({ covered: true });
      const first = asked();

      sandbox.calls.reset();
      const { scan } = await scanAll(database, sandbox);
      const pages = await database
        .select({ type: scan_units.type, pages: scan_units.pages, stored: scan_units.readings_stored })
        .from(scan_units)
        .where(eq(scan_units.scan_id, scan.id));
      const unasked = pages.filter(({ type }) => learned.get(type)?.covered === false);
      expect(unasked.every(({ stored }) => stored > 10)).toBe(true);
      expect(asked()).toBe(first - unasked.reduce((sum, one) => sum + one.pages, 0));
      expect(await coverage()).toEqual(learned);

      sandbox.calls.reset();
      await scanAll(database, sandbox, { now: () => new Date(Date.now() + 8 * DAY) });
      expect(asked()).toBe(first);
    } finally {
      await close();
    }
  });

  test("are counted by where they came from, and the index's wrong answers among those that were checked", async () => {
    const close = await open({ index_lag_ms: 100 * DAY, never_tagged_share: 0.1 });
    try {
      await scanAll(database, sandbox);
      const old = [...sandbox.resources({ type: "filter" })].filter(
        (one) => one.tags.size > 0 && !one.status.startsWith("DELETE") && one.created_at.getTime() < Date.now() - DAY,
      );
      for (const { arn } of old.slice(0, 3)) sandbox.setTags(arn, { Environment: "prod" });
      const plain = await scanAll(database, sandbox);
      const { readings } = await scanReport(database, plain.scan.id);
      expect(readings).toMatchObject({ service: 0, sampled: 0, mismatched: 0 });
      expect(readings.index + readings.stored).toBe([...sandbox.resources()].length);
      expect(await indexChecks(database)).toEqual({ sampled: 0, mismatched: 0, mismatch_rate: null });

      const aws = awsOf(sandbox, { sample_share: 1 });
      const { scan } = await scanAll(database, sandbox, { aws });
      aws.close();
      const checked = await scanReport(database, scan.id);
      expect(checked.readings).toMatchObject({ index: 0, sampled: readings.index, mismatched: 3 });
      const checks = { sampled: readings.index, mismatched: 3, mismatch_rate: 3 / readings.index };
      expect(await indexChecks(database)).toEqual(checks);
      expect(await indexChecks(database, { region: ["us-east-1"] })).toEqual(checks);
      expect(await indexChecks(database, { region: ["eu-west-1"] })).toMatchObject({ sampled: 0 });
      // Older checks count no longer.
      await database.update(scan_units).set({ finished_at: sql`now() - interval '31 days'` });
      expect(await indexChecks(database)).toMatchObject({ sampled: 0 });
    } finally {
      await close();
    }
  });

  test("one region that answers nothing and one type that is denied elsewhere stop nothing else", async () => {
    const close = await open({ regions: ["us-east-1", "eu-west-1", "ap-south-1"] });
    try {
      sandbox.setFaults([
        { kind: "server_error", region: "eu-west-1" },
        { kind: "access_denied", operation: "ListSolutions", region: "us-east-1" },
      ]);
      const aws = awsOf(sandbox, { patience_ms: 1000 });
      const { scan, state } = await scanAll(database, sandbox, { aws });
      aws.close();
      expect(state).toBe("partial");
      const ends = await database.select().from(scan_units).where(eq(scan_units.scan_id, scan.id));
      expect(ends).toHaveLength(39);
      for (const { region, type, state } of ends) {
        const denied = region === "us-east-1" && type === "solution";
        expect(state, `${region} ${type}`).toBe(denied ? "denied" : region === "eu-west-1" ? "failed" : "complete");
      }
    } finally {
      await close();
    }
  });

  test("what was learned later stays, whoever stores first", async () => {
    const unit: Unit = { partition: "aws", account_id: "111122223333", region: "us-east-1", type: "filter" };
    const learned = (covered: boolean, day: number) => {
      const learned_at = new Date(Date.UTC(2026, 4, day));
      return { covered, returned: covered ? 7 : 0, missing: covered ? 0 : 7, learned_at };
    };
    await storeCoverage(database, unit, learned(false, 2));
    await storeCoverage(database, unit, learned(true, 3));
    await storeCoverage(database, unit, learned(false, 1));
    expect(await storedCoverage(database, unit)).toEqual(new Map([["filter", learned(true, 3)]]));
    expect(await storedCoverage(database, { ...unit, region: "eu-west-1" })).toEqual(new Map());
  });
});
