import { createHash } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../src/db/client.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { resources, scan_units } from "../../src/inventory/schema.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { compliance } from "../../src/reports/store.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";
import { byIdentity, type Expected, expectedFindings } from "../support/expected.ts";
import { scanAll } from "../support/scan.ts";

async function openFindings(database: Database): Promise<Expected[]> {
  const rows = await database.select().from(findings).where(eq(findings.state, "open"));
  return rows.map(({ arn, rule_id, key, kind }) => ({ arn, rule: rule_id, key, kind })).toSorted(byIdentity);
}

/** A picture of every row, with the transaction that wrote it: a row that is written again, even with the same content, differs. */
async function picture(database: Database): Promise<string> {
  const tables = ["resources", "findings", "finding_events"];
  const parts = [];
  for (const table of tables) {
    parts.push(await database.execute(sql.raw(`select xmin::text, t::text from ${table} t order by 2`)));
  }
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

describeOnBoth("a scan of an organization of 1,000 resources, on %s", (kind) => {
  let sandbox: Sandbox;
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  beforeAll(async () => {
    [sandbox, opened] = await Promise.all([startSandbox({ resources: 1000 }), openTestDatabase(kind)]);
  });
  afterAll(async () => {
    await sandbox.close();
    await opened.close();
  });

  test("finds exactly what an independent count over the sandbox's own state gives", async () => {
    const { scan, state } = await scanAll(opened.database, sandbox);
    expect(state).toBe("succeeded");
    const expected = expectedFindings(sandbox);
    expect(expected.length).toBeGreaterThan(300);
    expect(new Set(expected.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(4);
    expect(await openFindings(opened.database)).toEqual(expected);
    const stored = await opened.database.select().from(resources);
    expect(stored.map(({ arn }) => arn).toSorted()).toEqual([...sandbox.resources()].map(({ arn }) => arn).toSorted());
    const units = await opened.database.select().from(scan_units).where(eq(scan_units.scan_id, scan.id));
    expect(new Set(units.map(({ state }) => state))).toEqual(new Set(["complete"]));
  });

  test("counts as compliant just the resources in which the independent count finds nothing", async () => {
    const wrong = new Set(expectedFindings(sandbox).map(({ arn }) => arn));
    const all = [...sandbox.resources()];
    const leaving = all.filter(({ status }) => status.startsWith("DELETE"));
    const compliant = all.length - leaving.length - wrong.size;
    expect(await compliance(opened.database)).toEqual({
      compliant,
      noncompliant: wrong.size,
      exempt: 0,
      unknown: 0,
      not_applicable: leaving.length,
      ratio: Math.floor((compliant / (compliant + wrong.size)) * 1000) / 1000,
      strict_ratio: Math.floor((compliant / (compliant + wrong.size)) * 1000) / 1000,
      coverage: 1,
      units_incomplete: 0,
      units_never_read: 0,
    });
  });

  test("a second scan with nothing changed writes no row of resources, findings or events", async () => {
    const before = await picture(opened.database);
    await scanAll(opened.database, sandbox);
    expect(await picture(opened.database)).toBe(before);
  });

  test("what someone fixes, breaks and deletes is seen, and its history is kept", async () => {
    const before = await openFindings(opened.database);
    const broken = before[0]!.arn;
    const clean = [...sandbox.resources()].find(
      ({ arn, status }) => status === "ACTIVE" && !before.some((finding) => finding.arn === arn),
    )!.arn;
    sandbox.setTags(broken, { CostCenter: "CC-1234", Environment: "prod" });
    sandbox.setTags(clean, { CostCenter: "none", Environment: "prod" });
    const gone = before.findLast(({ arn }) => arn !== broken)!.arn;
    sandbox.deleteResource(gone);

    await scanAll(opened.database, sandbox);
    const after = await openFindings(opened.database);
    expect(after.filter(({ arn }) => arn === broken)).toEqual([]);
    expect(after.filter(({ arn }) => arn === clean)).toEqual([
      { arn: clean, rule: "cost-center", key: "CostCenter", kind: "invalid" },
    ]);
    expect(after.some(({ arn }) => arn === gone)).toBe(true);

    await scanAll(opened.database, sandbox);
    expect(await openFindings(opened.database)).toEqual(expectedFindings(sandbox));
    const events = await opened.database.select().from(finding_events).where(eq(finding_events.event, "resolved"));
    expect(new Set(events.map(({ cause }) => cause))).toEqual(new Set(["fixed_observed", "resource_gone"]));
  });
});
