import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import {
  basis,
  breakdown,
  compliance,
  openBySeverity,
  resource,
  resourcesPage,
  rules,
} from "../../src/reports/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { NOON, seeder } from "./seed.ts";

const ARN = "arn:aws:personalize:us-east-1:111122223333:campaign/one";

describeOnBoth("compliance on %s", (kind) => {
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

  const statusOf = async (arn: string) => (await resource(database, arn))?.status;

  test("nothing evaluated is null, not 100 %", async () => {
    expect(await compliance(database)).toEqual({
      compliant: 0,
      noncompliant: 0,
      exempt: 0,
      unknown: 0,
      not_applicable: 0,
      ratio: null,
      strict_ratio: null,
      coverage: null,
      units_incomplete: 0,
      units_never_read: 0,
    });
  });

  test("each resource has one status, the worst that applies", async () => {
    await seed.unit();
    await seed.unit({ type: "filter", state: "partial", listed: false });
    await seed.policySet([{}]);

    const compliant = await seed.resource();
    const noncompliant = await seed.resource({
      reading_error: { name: "ThrottlingException", message: "", operation: "" },
    });
    await seed.finding(noncompliant);
    const unknown = await seed.resource({ standing: "unknown", unknown_reason: "AccessDeniedException" });
    const unread = await seed.resource({ reading_error: { name: "TimeoutError", message: "", operation: "" } });
    const unlisted = await seed.resource({ type: "filter" });
    const without_unit = await seed.resource({ type: "dataset" });
    const exempt = await seed.resource();
    await seed.finding(exempt);
    await seed.exemption({ arns: [exempt.arn] });
    const exempt_and_unread = await seed.resource({ standing: "unknown" });
    await seed.finding(exempt_and_unread);
    await seed.exemption({ arns: [exempt_and_unread.arn] });
    const deleting = await seed.resource({ status: "DELETE IN_PROGRESS" });
    await seed.finding(deleting);
    const no_rule = await seed.resource({ standing: "not_applicable" });
    const fixed = await seed.resource();
    await seed.finding(fixed, { state: "resolved", resolution: "fixed_observed", resolved_at: NOON });
    const gone = await seed.resource({ gone_at: NOON });

    expect(await statusOf(compliant.arn)).toBe("compliant");
    expect(await statusOf(noncompliant.arn)).toBe("noncompliant");
    expect(await statusOf(unknown.arn)).toBe("unknown");
    expect(await statusOf(unread.arn)).toBe("unknown");
    expect(await statusOf(unlisted.arn)).toBe("unknown");
    expect(await statusOf(without_unit.arn)).toBe("unknown");
    expect(await statusOf(exempt.arn)).toBe("exempt");
    expect(await statusOf(exempt_and_unread.arn)).toBe("unknown");
    expect(await statusOf(deleting.arn)).toBe("not_applicable");
    expect(await statusOf(no_rule.arn)).toBe("not_applicable");
    expect(await statusOf(fixed.arn)).toBe("compliant");
    expect(await statusOf(gone.arn)).toBeUndefined();

    expect(await compliance(database)).toEqual({
      compliant: 2,
      noncompliant: 1,
      exempt: 1,
      unknown: 5,
      not_applicable: 2,
      ratio: 0.666,
      strict_ratio: 0.222,
      coverage: 0.444,
      units_incomplete: 1,
      units_never_read: 0,
    });
  });

  test("ratios are rounded down: 1 means all", async () => {
    await seed.unit();
    for (let i = 0; i < 2000; i += 500) {
      await database.execute(sql`
        insert into resources (arn, account_id, region, type, name, status, summary, tags, in_index, standing, first_seen_at, recorded_at)
        select 'arn:' || n, '111122223333', 'us-east-1', 'campaign', 'n', 'ACTIVE', '{}', '{}', true, 'judged', now(), now()
        from generate_series(${i}::int, ${i + 499}::int) n`);
    }
    await seed.finding({ arn: "arn:7", account_id: "111122223333", region: "us-east-1", type: "campaign" });
    expect(await compliance(database)).toMatchObject({ compliant: 1999, noncompliant: 1, ratio: 0.999, coverage: 1 });
  });

  test("coverage is null while a unit in scope was never read", async () => {
    await seed.unit();
    await seed.unit({ region: "eu-west-1", state: "denied", listed: false, listed_at: null, completed_at: null });
    await seed.resource();
    expect(await compliance(database)).toMatchObject({
      coverage: null,
      ratio: 1,
      units_incomplete: 1,
      units_never_read: 1,
    });
    expect(await compliance(database, { region: ["us-east-1"] })).toMatchObject({ coverage: 1, units_incomplete: 0 });
  });

  test("everything unknown: nothing was evaluated", async () => {
    await seed.unit();
    await seed.resource({ standing: "unknown" });
    expect(await compliance(database)).toMatchObject({ unknown: 1, ratio: null, strict_ratio: null, coverage: 0 });
  });

  test("an exemption takes effect and ends at its instant, with no write", async () => {
    await seed.unit();
    const one = await seed.resource();
    await seed.finding(one);
    await seed.exemption({ policy_id: "cost", expires_at: new Date(Date.now() + 1500) });
    expect(await statusOf(one.arn)).toBe("exempt");
    await new Promise((resolve) => setTimeout(resolve, 1600));
    expect(await statusOf(one.arn)).toBe("noncompliant");
  });

  test.each([
    ["its policy", { policy_id: "cost" }, true],
    [
      "its rule, key, account, region and type",
      {
        policy_id: "cost",
        rule_id: "cost-center",
        key: "CostCenter",
        accounts: ["111122223333"],
        regions: ["us-east-1"],
        types: ["campaign" as const],
      },
      true,
    ],
    ["its account", { accounts: ["111122223333"] }, true],
    ["its account among others", { accounts: ["999999999999", "111122223333"] }, true],
    ["its ARN", { arns: [ARN] }, true],
    ["its ARN and account", { arns: [ARN], accounts: ["111122223333"] }, true],
    ["its ARN and another account", { arns: [ARN], accounts: ["999999999999"] }, false],
    ["its ARN and another rule", { arns: [ARN], rule_id: "other" }, false],
    ["its account and another key", { accounts: ["111122223333"], key: "Owner" }, false],
    ["another policy", { policy_id: "other" }, false],
    ["another rule", { rule_id: "other" }, false],
    ["another key", { key: "Owner" }, false],
    ["its key in another case", { key: "costcenter" }, false],
    ["another account", { accounts: ["999999999999"] }, false],
    ["another region", { regions: ["eu-west-1"] }, false],
    ["another type", { types: ["filter" as const] }, false],
    ["another ARN", { arns: ["arn:other"] }, false],
    ["a pattern of its ARN", { arns: ["arn:*:campaign/o*"] }, true],
    ["a pattern of another ARN", { arns: ["arn:*:campaign/t*"] }, false],
    ["its ARN and another name", { arns: [ARN], names: ["two"] }, false],
    ["its name", { names: ["one"] }, true],
    ["a pattern of its name", { names: ["two", "o*e"] }, true],
    ["its name in another case", { names: ["One"] }, false],
    ["a name with the wildcards of SQL", { names: ["o_e"] }, false],
    ["a name with the other wildcard of SQL", { names: ["%"] }, false],
    ["a tag", { tags: { Stage: "poc" } }, true],
    ["a pattern of a tag", { tags: { Stage: "p*" } }, true],
    ["two tags, and it has both", { tags: { Stage: "poc", Team: "*" } }, true],
    ["two tags, and it has one", { tags: { Stage: "poc", Owner: "*" } }, false],
    ["a tag in another case", { tags: { stage: "poc" } }, false],
    ["a value in another case", { tags: { Stage: "POC" } }, false],
    ["an empty value that it has", { tags: { Note: "" } }, true],
    ["an empty value that it has not", { tags: { Stage: "" } }, false],
    ["its policy, but revoked", { policy_id: "cost", revoked_at: new Date(), revoked_by: "bob" }, false],
    ["its policy, but expired", { policy_id: "cost", starts_at: new Date(0), expires_at: new Date(1) }, false],
    ["its policy, but still to begin", { policy_id: "cost", starts_at: new Date(Date.now() + 60_000) }, false],
  ])("an exemption that names %s", async (_, exemption, covers) => {
    await seed.unit();
    const one = await seed.resource({ name: "one", tags: { Stage: "poc", Team: "search", Note: "" } });
    await seed.finding(one);
    await seed.exemption(exemption);
    expect(await statusOf(one.arn)).toBe(covers ? "exempt" : "noncompliant");
  });

  test("the views, the breakdowns and the queries agree to the last digit", async () => {
    await seed.policySet([{}, { rule_id: "owner", key: "Owner", severity: "low" }]);
    const types = ["campaign", "filter", "solution"] as const;
    for (const type of types)
      await seed.unit({ type, ...(type === "filter" && { state: "denied" as const, listed: false, listed_at: null }) });
    for (let i = 0; i < 30; i++) {
      const type = types[i % 3] ?? "campaign";
      const one = await seed.resource({
        type,
        standing: i % 7 === 0 ? "unknown" : "judged",
        tags: i % 4 === 0 ? {} : { Owner: `team-${i % 2}` },
      });
      if (i % 2) await seed.finding(one, { severity: "critical" });
      if (i % 5 === 0) await seed.finding(one, { rule_id: "owner", key: "Owner" });
      if (i % 10 === 0) await seed.exemption({ arns: [one.arn] });
    }
    const now = await compliance(database);
    const [view] = await query(database, sql`select * from reporting.v1_compliance_now`);
    expect(view).toMatchObject(now);
    for (const [by, name] of [
      ["type", "type"],
      ["account_id", "account"],
      ["region", "region"],
      ["owner", "owner"],
    ] as const) {
      const rows = await breakdown(database, by);
      const views = await query(database, sql`select * from ${sql.raw(`reporting.v1_compliance_by_${name}`)}`);
      expect(rows.length).toBe(views.length);
      for (const row of rows) {
        const { group, oldest_opened_at: _, title: __, severity: ___, ...counts } = row;
        expect(views.find((v) => v[by] === group)).toMatchObject(counts);
      }
      for (const count of ["compliant", "noncompliant", "exempt", "unknown", "not_applicable"] as const) {
        expect(rows.reduce((sum, row) => sum + (row[count] ?? 0), 0)).toBe(now[count]);
      }
    }
    expect((await breakdown(database, "owner")).map((row) => row.group)).toContain(null);
    const byRule = await breakdown(database, "rule");
    expect(byRule.map((row) => row.group)).toEqual(["cost/cost-center", "cost/owner"]);
    expect(await rules(database)).toMatchObject(
      byRule.map(({ noncompliant, exempt, open_findings, exempt_findings, oldest_opened_at }) => ({
        noncompliant,
        exempt,
        open_findings,
        exempt_findings,
        oldest_opened_at,
      })),
    );
    expect((await breakdown(database, "key")).map((row) => [row.group, row.open_findings])).toEqual([
      ["CostCenter", 15],
      ["Owner", 3],
    ]);
    expect(await openBySeverity(database)).toEqual({ low: 0, medium: 0, high: 3, critical: 15 });
    for (const status of ["compliant", "noncompliant", "exempt", "unknown"] as const) {
      expect((await resourcesPage(database, { status: [status] })).total).toEqual({
        count: now[status],
        type: "EXACT",
      });
    }
  });

  test("a rule of the active set without findings is shown with zeros; an old rule only while it has open findings", async () => {
    await seed.policySet([{}]);
    await seed.policySet([{ rule_id: "old" }], { id: "set-0", active: false });
    expect(await rules(database)).toMatchObject([
      { rule_id: "cost-center", noncompliant: 0, active: true, severity: "high" },
    ]);
    await seed.finding(await seed.resource(), { rule_id: "old", policy_set_id: "set-0" });
    expect(await rules(database)).toMatchObject([
      { rule_id: "old", noncompliant: 1, active: false, policy_title: "Every resource can be billed" },
      { rule_id: "cost-center", noncompliant: 0 },
    ]);
  });

  test("a scope is the units of a scan, and a unit that no attempt reached yet was never read", async () => {
    await seed.unit();
    await seed.unit({ type: "filter" });
    await seed.resource();
    await seed.resource({ type: "filter" });
    const id = await seed.scan({}, [{}]);
    expect(await compliance(database, { scan_id: id })).toMatchObject({
      compliant: 1,
      coverage: 1,
      units_incomplete: 0,
    });
    const other = await seed.scan({ id: "01890000-0000-7000-8000-000000000001" }, [
      {},
      { type: "solution", state: "pending" },
    ]);
    expect(await compliance(database, { scan_id: other })).toMatchObject({
      compliant: 1,
      coverage: null,
      units_incomplete: 1,
      units_never_read: 1,
    });
    const units = [{ account_id: "111122223333", region: "us-east-1", type: "filter" as const }];
    expect(await compliance(database, { units })).toMatchObject({ compliant: 1 });
    expect(await compliance(database, { units: [] })).toMatchObject({ compliant: 0 });
  });

  test("says which policies and how fresh", async () => {
    await seed.policySet();
    await seed.unit({ listed_at: new Date(NOON.getTime() - 5000) });
    await seed.unit({ type: "filter" });
    expect(await basis(database)).toEqual({
      policy_set_id: "set-1",
      policy_version: expect.any(Number) as number,
      oldest_listed_at: new Date(NOON.getTime() - 5000),
      newest_listed_at: NOON,
    });
  });
});

async function query(database: Database, statement: ReturnType<typeof sql>): Promise<Record<string, unknown>[]> {
  const result: unknown = await database.execute(statement);
  return (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as Record<string, unknown>[];
}
