import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { printFindings } from "../../src/cli/findings.ts";
import { printReport } from "../../src/cli/report.ts";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { plan_actions, plans } from "../../src/remediation/schema.ts";
import { scanDetails, scanReport } from "../../src/reports/scan-report.ts";
import { changesSince, unitsOf } from "../../src/reports/db/scans.ts";
import { finding, findingHistory, resource, units } from "../../src/reports/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { NOON, seeder } from "./seed.ts";

const count = z.number().int().nonnegative();
const ratio = z.number().min(0).max(1).nullable();

/** What `scan --json` promises, with no field more. */
const SHAPE = z.strictObject({
  scan_id: z.uuid(),
  state: z.enum(["succeeded", "partial", "failed"]),
  started_at: z.iso.datetime(),
  finished_at: z.iso.datetime(),
  policies: z.strictObject({
    set_id: z.string(),
    items: z.array(
      z.strictObject({ policy_id: z.string(), title: z.string(), owner: z.string().nullable(), rules: count }),
    ),
  }),
  warnings: z.array(z.string()),
  compliance: z.strictObject({
    compliant: count,
    noncompliant: count,
    exempt: count,
    unknown: count,
    not_applicable: count,
    ratio,
    strict_ratio: ratio,
    coverage: ratio,
    units_incomplete: count,
    units_never_read: count,
  }),
  findings: z.strictObject({
    open: count,
    exempt: count,
    opened: count,
    reopened: count,
    resolved: count,
    unchanged: count,
    by_rule: z.record(
      z.string(),
      z.strictObject({
        missing: count.optional(),
        invalid: count.optional(),
        variant: count.optional(),
        forbidden: count.optional(),
        too_many: count.optional(),
        assertion: count.optional(),
      }),
    ),
  }),
  remediation: z.strictObject({
    planned: count,
    verified: count,
    unchanged: count,
    conflict: count,
    failed: count,
    blocked: count,
    skipped: count,
  }),
  readings: z.strictObject({ index: count, service: count, stored: count, sampled: count, mismatched: count }),
  api_calls: z.object({ total: count, throttled: count }).catchall(count),
  units: z.array(
    z.strictObject({
      account_id: z.string(),
      region: z.string(),
      type: z.string(),
      state: z.string(),
      resources: count,
      error: z.strictObject({ name: z.string(), message: z.string(), operation: z.string() }).nullable(),
    }),
  ),
});

function collector(columns?: number) {
  let text = "";
  return {
    columns,
    write(more: string, done?: () => void) {
      text += more;
      done?.();
    },
    text: () => text,
  };
}

describeOnBoth("the report of a scan on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  let seed: ReturnType<typeof seeder>;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    ({ database } = opened);
  });
  afterAll(() => opened.close());
  beforeEach(async () => {
    await emptyTables(database);
    seed = seeder(database);
  });

  /** A scan of campaigns (read) and filters (denied); datasets are not of this scan. */
  async function world() {
    await seed.policySet([{}, { rule_id: "owner", key: "Owner", severity: "low" }]);
    await seed.unit();
    const error = { name: "AccessDeniedException", message: "no", operation: "ListFilters" };
    await seed.unit({ type: "filter", state: "denied", listed: false, listed_at: null, error });
    await seed.unit({ type: "dataset" });
    const id = await seed.scan({ state: "partial", warnings: ["No permission to ask the index."] }, [
      { resources: 4, opened: 2, unchanged: 1 },
      { type: "filter", state: "denied", listed: false, error },
    ]);
    const bad = await seed.resource({ name: "bad" });
    const worse = await seed.resource({ name: "worse" });
    const waived = await seed.resource({ name: "waived" });
    await seed.resource({ name: "good" });
    const unread = await seed.resource({
      name: "unread",
      standing: "unknown",
      reading_error: { name: "ThrottlingException", message: "", operation: "ListTagsForResource" },
    });
    const elsewhere = await seed.resource({ type: "dataset" });
    await seed.finding(elsewhere, { severity: "critical" });
    const findings = [
      await seed.finding(bad),
      await seed.finding(worse, { kind: "invalid" }),
      await seed.finding(worse, { rule_id: "owner", key: "Owner", severity: "low" }),
      await seed.finding(waived),
      await seed.finding(bad, {
        rule_id: "owner",
        key: "Owner",
        severity: "low",
        state: "resolved",
        resolution: "fixed_by_remediation",
        resolved_at: NOON,
      }),
    ];
    await seed.exemption({ arns: [waived.arn] });
    await seed.event(findings[0]!.id, { scan_id: id });
    await seed.event(findings[1]!.id, { scan_id: id });
    await seed.event(findings[2]!.id, { scan_id: id, event: "reopened", cause: "regressed" });
    await seed.event(findings[4]!.id, { scan_id: id, event: "resolved", cause: "fixed_by_remediation" });
    await seed.event(findings[3]!.id, { scan_id: null });
    return { id, findings, bad, worse, unread };
  }

  test("is one object of exactly the promised shape, about the units of this scan", async () => {
    const { id } = await world();
    const repaired = { planned: 3, verified: 1, unchanged: 0, conflict: 1, failed: 0, blocked: 1, skipped: 0 };
    const report = JSON.parse(JSON.stringify(await scanReport(database, id, repaired))) as unknown;
    SHAPE.parse(report);
    expect(report).toEqual({
      scan_id: id,
      state: "partial",
      started_at: "2026-03-02T12:00:00.000Z",
      finished_at: "2026-03-02T12:00:04.200Z",
      policies: {
        set_id: "set-1",
        items: [{ policy_id: "cost", title: "Every resource can be billed", owner: "finops@example.com", rules: 2 }],
      },
      warnings: ["No permission to ask the index."],
      compliance: {
        compliant: 1,
        noncompliant: 2,
        exempt: 1,
        unknown: 1,
        not_applicable: 0,
        ratio: 0.333,
        strict_ratio: 0.2,
        coverage: null,
        units_incomplete: 1,
        units_never_read: 1,
      },
      findings: {
        open: 3,
        exempt: 1,
        opened: 2,
        reopened: 1,
        resolved: 1,
        unchanged: 1,
        by_rule: { "cost/cost-center": { missing: 1, invalid: 1 }, "cost/owner": { missing: 1 } },
      },
      remediation: repaired,
      readings: { index: 0, service: 0, stored: 0, sampled: 0, mismatched: 0 },
      api_calls: { total: 3, throttled: 0, ListCampaigns: 3 },
      units: [
        {
          account_id: "111122223333",
          region: "us-east-1",
          type: "campaign",
          state: "complete",
          resources: 4,
          error: null,
        },
        {
          account_id: "111122223333",
          region: "us-east-1",
          type: "filter",
          state: "denied",
          resources: 0,
          error: { name: "AccessDeniedException", message: "no", operation: "ListFilters" },
        },
      ],
    });
  });

  test("printed again it counts the repairs that the scan made, and no others", async () => {
    const { id } = await world();
    const plan = {
      hash: "",
      policy_set_id: "set-1",
      created_at: NOON,
      created_by: "x",
      expires_at: NOON,
      scan_id: id,
      state: "applied" as const,
    };
    const ids = { auto: "01890000-0000-7000-8000-00000000000a", plan: "01890000-0000-7000-8000-00000000000b" };
    for (const mode of ["auto", "plan"] as const) await database.insert(plans).values({ ...plan, id: ids[mode], mode });
    const action = {
      account_id: "",
      region: "",
      type: "campaign" as const,
      arn: "",
      changes: [],
      decided_on: {},
      reads_from: [],
      origins: {},
      tags_hash: "",
      reasons: [],
      protected: false,
    };
    for (const [position, state] of (["verified", "verified", "conflict", "planned"] as const).entries()) {
      await database.insert(plan_actions).values({ ...action, plan_id: ids.auto, position, state });
      await database.insert(plan_actions).values({ ...action, plan_id: ids.plan, position, state });
    }
    expect((await scanReport(database, id)).remediation).toEqual({
      planned: 4,
      verified: 2,
      unchanged: 0,
      conflict: 1,
      failed: 0,
      blocked: 1,
      skipped: 0,
    });
  });

  test("the details say which rules, where, which resources, and why some are not known", async () => {
    const { id, worse, bad } = await world();
    expect(await scanDetails(database, id)).toEqual({
      rules: [
        {
          policy_id: "cost",
          rule_id: "cost-center",
          title: "Every resource can be billed",
          severity: "high",
          open: 2,
          exempt: 1,
          resources: 2,
          kinds: { missing: 1, invalid: 1 },
        },
        {
          policy_id: "cost",
          rule_id: "owner",
          title: "Every resource can be billed",
          severity: "low",
          open: 1,
          exempt: 0,
          resources: 1,
          kinds: { missing: 1 },
        },
      ],
      places: [{ account_id: "111122223333", region: "us-east-1", type: "campaign", noncompliant: 2, in_scope: 5 }],
      places_total: 1,
      worst: [
        {
          account_id: "111122223333",
          region: "us-east-1",
          type: "campaign",
          arn: worse.arn,
          name: "worse",
          severity: "high",
          open: 2,
          keys: ["CostCenter", "Owner"],
        },
        {
          account_id: "111122223333",
          region: "us-east-1",
          type: "campaign",
          arn: bad.arn,
          name: "bad",
          severity: "high",
          open: 1,
          keys: ["CostCenter"],
        },
      ],
      unknowns: [{ reason: "tags could not be read: ThrottlingException", resources: 1 }],
      changes: {
        opened: { observed: 2 },
        changed: {},
        reopened: { regressed: 1 },
        resolved: { fixed_by_remediation: 1 },
      },
      held: 0,
    });
    await expect(scanReport(database, "01890000-0000-7000-8000-000000000000")).rejects.toThrow("There is no scan");
  });

  test("a resource shows its readings, its findings, open ones first, and their history", async () => {
    const { bad, findings, id } = await world();
    const detail = await resource(database, bad.arn);
    expect(detail).toMatchObject({
      status: "noncompliant",
      source: "index",
      tags_read_at: NOON,
      unit_listed_at: NOON,
      open_findings: 1,
      exempt_findings: 0,
    });
    expect(detail?.findings.map((row) => [row.id, row.effective_status])).toEqual([
      [findings[0]!.id, "open"],
      [findings[4]!.id, "resolved"],
    ]);
    expect(detail?.history.map((row) => row.event)).toEqual(["resolved", "opened"]);
    expect(await findingHistory(database, findings[4]!.id)).toMatchObject([
      { event: "resolved", cause: "fixed_by_remediation", scan_id: id, key: "Owner" },
    ]);
    expect(await unitsOf(database, id)).toMatchObject([
      { type: "campaign", opened: 2 },
      { type: "filter", state: "denied" },
    ]);
    expect(await units(database)).toMatchObject([
      { type: "campaign", freshness: "complete", resources: 5 },
      { type: "dataset", freshness: "complete", resources: 1 },
      { type: "filter", freshness: "never_read", resources: 0 },
    ]);
    expect(await changesSince(database, { at: NOON })).toMatchObject({
      opened: { observed: 3 },
      resolved: { fixed_by_remediation: 1 },
    });
  });

  test("values of a sensitive rule are masked wherever a report shows them", async () => {
    await seed.policySet([{}, { rule_id: "owner", key: "Owner", sensitive: true }]);
    await seed.unit();
    const secret = "jane.doe@example.com";
    const tags = { Owner: secret, owner: secret, "OWNER ": secret, Contact: secret, Environment: "prod" };
    const one = await seed.resource({ tags });
    const detail = {
      message: "Owner is not an email",
      observed: { Owner: secret, Contact: secret },
      expected: "an email",
    };
    const own = await seed.finding(one, { rule_id: "owner", key: "Owner", kind: "invalid", detail });
    const other = await seed.finding(one, {
      kind: "assertion",
      detail: { ...detail, observed: { Owner: secret, Environment: "prod" } },
    });
    await seed.event(own.id, { detail });
    const id = await seed.scan();

    const shown = await resource(database, one.arn);
    expect(shown?.tags).toEqual({ Owner: "***", owner: "***", "OWNER ": "***", Contact: "***", Environment: "prod" });
    expect(shown?.owner).toBe("***");
    expect((await finding(database, own.id))?.detail).toEqual({
      ...detail,
      observed: { Owner: "***", Contact: "***" },
    });
    expect((await finding(database, other.id))?.detail.observed).toEqual({ Owner: "***", Environment: "prod" });
    expect((await findingHistory(database, own.id))[0]?.detail.observed).toEqual({ Owner: "***", Contact: "***" });
    const output = collector();
    await printFindings(database, { json: true, status: "all" }, output);
    await printFindings(database, { csv: true, status: "all" }, output);
    await printFindings(database, {}, output);
    await printReport(database, id, { json: true }, output);
    await printReport(database, id, {}, output);
    expect(output.text()).not.toContain("jane.doe");
    expect(JSON.stringify(shown)).not.toContain("jane.doe");
  });

  test("what was sensitive when it was found stays masked after the rule no longer says so", async () => {
    await seed.policySet([{ sensitive: true }], { id: "set-0", active: false });
    await seed.policySet([{ sensitive: false }]);
    const one = await seed.resource();
    const detail = { message: "", observed: { CostCenter: "jane" }, expected: "" };
    const old = await seed.finding(one, { detail, policy_set_id: "set-0" });
    const since = await seed.finding(one, { detail, key: "Other" });
    expect((await finding(database, old.id))?.detail.observed).toEqual({ CostCenter: "***" });
    expect((await finding(database, since.id))?.detail.observed).toEqual({ CostCenter: "jane" });
  });

  test("findings and report print the same again from the command line", async () => {
    const { id, findings } = await world();
    const json = collector();
    await printFindings(database, { json: true, severity: ["high"] }, json);
    expect(JSON.parse(json.text())).toMatchObject({
      items: [{ severity: "high" }, { severity: "high" }],
      next_page_token: null,
      total: { count: 2, type: "EXACT" },
    });

    const csv = collector();
    await printFindings(database, { csv: true, status: "all", scan: id }, csv);
    expect(csv.text().split("\r\n")).toHaveLength(findings.length + 2);
    expect(csv.text()).toMatch(/^"id","effective_status","severity"/);

    const table = collector(80);
    await printFindings(database, { pageSize: 2 }, table);
    expect(table.text()).toContain("2 of 4 findings");
    expect(table.text()).toContain("--page-token");
    await expect(printFindings(database, { pageToken: "x" }, table)).rejects.toMatchObject({ name: "UsageError" });
    await expect(printFindings(database, { scan: "x" }, table)).rejects.toMatchObject({ name: "UsageError" });

    const report = collector();
    await printReport(database, undefined, { json: true }, report);
    SHAPE.parse(JSON.parse(report.text()));
    const person = collector(80);
    await printReport(database, id, {}, person);
    expect(person.text()).toContain("33.3 % compliant");
    await expect(printReport(database, "nonsense", {}, person)).rejects.toMatchObject({ name: "UsageError" });
  });

  test("with no scan yet, report says what to do", async () => {
    await expect(printReport(database, undefined, {}, collector())).rejects.toThrow("Begin one: tagwarden scan");
  });
});
