import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/db/client.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { resources, scan_units, scans } from "../../src/inventory/schema.ts";
import { type FaultRule, type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { byIdentity, expectedFindings } from "../support/expected.ts";
import { awsOf, scanAll } from "../support/scan.ts";

const GOOD = { CostCenter: "CC-1234", Environment: "prod" };

/** What goes wrong, and what the scan has to say of it. `units`: types that cannot be complete; null: the scan gets over it. */
const FAULTS: { name: string; faults: FaultRule[]; units: RegExp | null; state: string }[] = [
  {
    name: "a list is throttled for ever",
    faults: [{ kind: "throttle", operation: "ListCampaigns" }],
    units: /^campaign$/,
    state: "partial",
  },
  {
    name: "a list answers 500",
    faults: [{ kind: "server_error", operation: "ListSolutions" }],
    units: /^solution$/,
    state: "partial",
  },
  {
    name: "a list never answers",
    faults: [{ kind: "hang", operation: "ListFilters" }],
    units: /^filter$/,
    state: "partial",
  },
  {
    name: "a list's connection is cut",
    faults: [{ kind: "cut", operation: "ListDatasets" }],
    units: /^dataset$/,
    state: "partial",
  },
  {
    name: "a list is denied",
    faults: [{ kind: "access_denied", operation: "ListRecommenders" }],
    units: /^recommender$/,
    state: "partial",
  },
  {
    name: "a list breaks off after its first page",
    faults: [{ kind: "server_error", operation: "ListSolutionVersions", after: 1 }],
    units: /^solution-version$/,
    state: "partial",
  },
  {
    name: "every list is denied",
    faults: [{ kind: "access_denied", operation: "List*" }],
    units: /./,
    state: "failed",
  },
  {
    name: "the index is denied",
    faults: [{ kind: "access_denied", operation: "GetResources" }],
    units: null,
    state: "succeeded",
  },
  {
    name: "the index never answers",
    faults: [{ kind: "hang", operation: "GetResources" }],
    units: null,
    state: "succeeded",
  },
  {
    name: "the index cuts connections",
    faults: [{ kind: "cut", operation: "GetResources" }],
    units: null,
    state: "succeeded",
  },
  {
    name: "reading tags is denied",
    faults: [{ kind: "access_denied", operation: "ListTagsForResource" }],
    units: /./,
    state: "partial",
  },
  {
    name: "reading tags is throttled for ever",
    faults: [{ kind: "throttle", operation: "ListTagsForResource" }],
    units: /./,
    state: "partial",
  },
  {
    name: "reading tags answers 500",
    faults: [{ kind: "server_error", operation: "ListTagsForResource" }],
    units: /./,
    state: "partial",
  },
  {
    name: "reading tags is cut",
    faults: [{ kind: "lost_reply", operation: "ListTagsForResource" }],
    units: /./,
    state: "partial",
  },
  {
    name: "index and reading are both denied",
    faults: [
      { kind: "access_denied", operation: "GetResources" },
      { kind: "access_denied", operation: "ListTagsForResource" },
    ],
    units: /./,
    state: "partial",
  },
  {
    name: "a fifth of all calls is throttled",
    faults: [{ kind: "throttle", share: 0.2 }],
    units: null,
    state: "succeeded",
  },
  {
    name: "a tenth of all replies is lost",
    faults: [{ kind: "lost_reply", share: 0.1 }],
    units: null,
    state: "succeeded",
  },
  {
    name: "a tenth of all calls answers 500",
    faults: [{ kind: "server_error", share: 0.1 }],
    units: null,
    state: "succeeded",
  },
];

/** Half of the faults on each database: what is at stake lies before the database, and each scan takes its time. */
const ON = {
  postgres: FAULTS.filter((_, index) => index % 2 === 0),
  pglite: FAULTS.filter((_, index) => index % 2 === 1),
};

describeOnBoth("whatever goes wrong during a scan, on %s", (kind) => {
  let sandbox: Sandbox;
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  beforeEach(async () => {
    await emptyTables(database);
    sandbox = await startSandbox({ resources: 600, accounts: 0, regions: ["us-east-1"] });
    await scanAll(database, sandbox);
    return () => sandbox.close();
  });
  afterAll(() => opened.close());

  test.each(ON[kind])(
    "$name: nothing is closed, called compliant or missing because of it",
    async ({ faults, units, state }) => {
      // Between the scans some things get better, some worse, and some go: only what is truly seen may be recorded.
      const all = [...sandbox.resources()].filter(({ status }) => !status.startsWith("DELETE"));
      const wrong = new Set(expectedFindings(sandbox).map(({ arn }) => arn));
      for (const { arn } of all.filter(({ arn }) => wrong.has(arn)).filter((_, index) => index % 5 === 0))
        sandbox.setTags(arn, GOOD);
      for (const { arn } of all.filter(({ arn }) => !wrong.has(arn)).filter((_, index) => index % 5 === 0))
        sandbox.setTags(arn, {});
      for (const { arn } of all.filter((_, index) => index % 40 === 7)) sandbox.deleteResource(arn);
      const [last] = await database
        .select({ at: sql<number>`coalesce(max(${finding_events.id}), 0)::int` })
        .from(finding_events);

      sandbox.setFaults(faults);
      const patience = units ? { patience_ms: 2000, timeout_ms: 1500 } : { timeout_ms: 3000 };
      const aws = awsOf(
        sandbox,
        faults.every(({ operation }) => operation === "GetResources")
          ? { patience_ms: 2000, timeout_ms: 1500 }
          : patience,
      );
      const scanned = await scanAll(database, sandbox, { aws });
      aws.close();
      sandbox.setFaults([]);

      expect(scanned.state).toBe(state);
      const ends = await database.select().from(scan_units).where(eq(scan_units.scan_id, scanned.scan.id));
      const incomplete = ends.filter((end) => end.state !== "complete");
      if (units) {
        expect(incomplete.length).toBeGreaterThan(0);
        for (const end of incomplete) expect(end.error?.name).toMatch(/\w/);
        for (const end of incomplete) expect(end.type).toMatch(units);
      } else {
        expect(incomplete).toEqual([]);
      }

      const truth = expectedFindings(sandbox);
      const stillWrong = new Set(truth.map(({ arn }) => arn));
      const existing = new Set([...sandbox.resources()].map(({ arn }) => arn));
      const resolved = await database
        .select({
          arn: findings.arn,
          account_id: findings.account_id,
          type: findings.type,
          rule: findings.rule_id,
          key: findings.key,
          cause: finding_events.cause,
        })
        .from(finding_events)
        .innerJoin(findings, eq(findings.id, finding_events.finding_id))
        .where(sql`${finding_events.id} > ${last?.at ?? 0} and ${finding_events.event} = 'resolved'`);
      for (const { arn, rule, key, account_id, type } of resolved) {
        expect(truth.some((one) => one.arn === arn && one.rule === rule && one.key === key)).toBe(false);
        expect(incomplete.some((end) => end.account_id === account_id && end.type === type)).toBe(false);
      }
      const compliant = await database.execute(sql`select arn from reporting.v1_resources where status = 'compliant'`);
      for (const { arn } of rowsOf(compliant)) {
        if (existing.has(arn)) expect(stillWrong.has(arn)).toBe(false);
      }
      for (const row of await database.select().from(resources)) {
        if (row.reading_error) expect(row.standing).toBe("unknown");
      }

      // Once all is well again, two scans know everything as it is.
      await scanAll(database, sandbox);
      await scanAll(database, sandbox);
      const open = await database.select().from(findings).where(eq(findings.state, "open"));
      expect(open.map(({ arn, rule_id: rule, key, kind }) => ({ arn, rule, key, kind })).toSorted(byIdentity)).toEqual(
        expectedFindings(sandbox),
      );
      const ended = await database.select().from(scans);
      expect(ended.every(({ finished_at }) => finished_at !== null)).toBe(true);
    },
  );
});

function rowsOf(result: unknown): { arn: string }[] {
  return Array.isArray(result) ? (result as { arn: string }[]) : (result as { rows: { arn: string }[] }).rows;
}
