import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { printFindings } from "../../src/cli/findings.ts";
import { plan } from "../../src/cli/plan.ts";
import { printReport } from "../../src/cli/report.ts";
import type { Database } from "../../src/db/client.ts";
import { autoRemediate } from "../../src/remediation/aws/auto.ts";
import { exemptionsPage } from "../../src/reports/db/exemptions.ts";
import { openApp } from "../http/open-app.ts";
import { ACTOR, AUTO_POLICY, POLICY, setOf, World } from "../remediation/world.ts";
import { describeOnBoth } from "../support/database.ts";
import { exemptNow, expireNow } from "../support/exemptions.ts";

/** What each surface says about open findings and noncompliant resources. */
type Counts = { open: number; exempt: number; noncompliant: number; exempt_resources: number };

const SURFACES: Record<string, (world: World, scan_id: string) => Promise<Partial<Counts>>> = {
  api: async ({ database }) => {
    const get = async (path: string) =>
      (await openApp(database).app.request(`/api/v1${path}`)).json() as Promise<never>;
    const total = async (status: string) =>
      ((await get(`/findings?effective_status=${status}&page_size=1`)) as { total: { count: number } }).total.count;
    const summary: { noncompliant: number; exempt: number } = await get("/compliance/summary");
    return {
      open: await total("open"),
      exempt: await total("exempt"),
      noncompliant: summary.noncompliant,
      exempt_resources: summary.exempt,
    };
  },
  "api, by rule": async ({ database }) => {
    const answer = await openApp(database).app.request("/api/v1/compliance/breakdown?by=rule");
    const { items } = (await answer.json()) as { items: { open_findings: number; exempt_findings: number }[] };
    return {
      open: items.reduce((sum, item) => sum + item.open_findings, 0),
      exempt: items.reduce((sum, item) => sum + item.exempt_findings, 0),
    };
  },
  "findings on the command line": async ({ database }) => ({
    open: ((await printedProblem((output) => printFindings(database, { json: true }, output))) as { items: unknown[] })
      .items.length,
    exempt: (
      (await printedProblem((output) => printFindings(database, { status: "exempt", json: true }, output))) as {
        items: unknown[];
      }
    ).items.length,
  }),
  CSV: async ({ database }) => {
    let text = "";
    const output = { write: (line: string, done?: () => void) => ((text += line), done?.(), true) };
    await printFindings(database, { status: "all", csv: true }, output);
    const rows = text.split("\r\n").slice(1);
    return {
      open: rows.filter((row) => row.includes(",open,") || row.includes(',"open",')).length,
      exempt: rows.filter((row) => row.includes(",exempt,") || row.includes(',"exempt",')).length,
    };
  },
  "scan --json": async ({ database }, scan_id) => {
    const report = (await printedProblem((output) => printReport(database, scan_id, { json: true }, output))) as {
      findings: { open: number; exempt: number };
      compliance: { noncompliant: number; exempt: number };
    };
    const { findings, compliance } = report;
    return {
      open: findings.open,
      exempt: findings.exempt,
      noncompliant: compliance.noncompliant,
      exempt_resources: compliance.exempt,
    };
  },
  "the dashboard": async ({ database }) => {
    const page = await (await openApp(database).app.request("/")).text();
    const words = page.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
    const number = (before: RegExp) => Number(before.exec(words)?.[1]?.replaceAll(",", "") ?? "0");
    return { noncompliant: number(/(\d+) noncompliant/i), exempt_resources: number(/(\d+) exempt/i) };
  },
  SQL: async ({ database }) => {
    const [row] = await rowsOf(
      database,
      sql`select open_findings, exempt_findings, noncompliant, exempt from reporting.v1_compliance_now`,
    );
    return {
      open: Number(row?.["open_findings"]),
      exempt: Number(row?.["exempt_findings"]),
      noncompliant: Number(row?.["noncompliant"]),
      exempt_resources: Number(row?.["exempt"]),
    };
  },
  plans: async (world) => {
    const { actions } = await world.draft();
    return { noncompliant: actions.length };
  },
};

async function printedProblem(print: (output: { write(text: string): unknown }) => Promise<void>): Promise<unknown> {
  let text = "";
  await print({ write: (more) => (text += more) });
  return JSON.parse(text);
}

async function rowsOf(database: Database, statement: ReturnType<typeof sql>): Promise<Record<string, unknown>[]> {
  const result: unknown = await database.execute(statement);
  return (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as Record<string, unknown>[];
}

/** Every row of findings, their history and resources, with the transaction that wrote it. */
async function picture(database: Database): Promise<string> {
  const tables = ["findings", "finding_events", "resources", "units", "held_closures"];
  const rows = await Promise.all(
    tables.map((table) => rowsOf(database, sql.raw(`select xmin::text, t::text from ${table} t order by 2`))),
  );
  return JSON.stringify(rows);
}

describeOnBoth("every surface says the same of exempt findings, on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const ask = (scan_id: string) =>
    Promise.all(Object.entries(SURFACES).map(async ([name, ask]) => [name, await ask(world, scan_id)] as const));
  function expectAll(said: Awaited<ReturnType<typeof ask>>, counts: Counts): void {
    for (const [name, each] of said) expect(counts, name).toMatchObject(each);
    expect(said.length).toBe(8);
  }
  const allSay = async (scan_id: string, counts: Counts) => expectAll(await ask(scan_id), counts);

  test("before it is made, while it covers and from the instant at which it ends; with no scan, no job and no write between", async () => {
    world.create({ CostCenter: "CC-0001", Stage: "poc" });
    world.create({ CostCenter: "CC-0001", Stage: "poc", "temp:x": "1" });
    world.create({ CostCenter: "CC-0001", Stage: "prod" });
    const scan_id = await world.scan();
    const before = await picture(world.database);
    const all = { open: 4, exempt: 0, noncompliant: 3, exempt_resources: 0 };
    await allSay(scan_id, all);

    const id = await exemptNow(world.database, { rule_id: "environment", tags: { Stage: "p*c" } });
    await allSay(scan_id, { open: 2, exempt: 2, noncompliant: 2, exempt_resources: 1 });
    expect((await exemptionsPage(world.database)).items).toMatchObject([{ id, covered_findings: 2, unused: false }]);

    await expireNow(world.database, id);
    await allSay(scan_id, all);
    expect(await picture(world.database)).toBe(before);
  });

  test("an exemption that ends in a moment ends then, for whoever asks", async () => {
    world.create({ CostCenter: "CC-0001" });
    const scan_id = await world.scan();
    let expires_at: Date;
    let said: Awaited<ReturnType<typeof ask>>;
    let seconds = 1;
    // Long enough for everybody to be asked before, however slow the machine is.
    do {
      seconds *= 3;
      expires_at = new Date(Date.now() + seconds * 1000);
      await exemptNow(world.database, { rule_id: "environment" }, { expires_at });
      said = await ask(scan_id);
    } while (new Date() >= expires_at);
    expectAll(said, { open: 0, exempt: 1, noncompliant: 0, exempt_resources: 1 });
    while (Date.now() <= expires_at.getTime()) await new Promise((resolve) => setTimeout(resolve, 50));
    await allSay(scan_id, { open: 1, exempt: 0, noncompliant: 1, exempt_resources: 0 });
  });

  test("an exemption that is still to begin covers nothing for anybody", async () => {
    world.create({ CostCenter: "CC-0001" });
    const scan_id = await world.scan();
    const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000);
    await exemptNow(world.database, { rule_id: "environment" }, { starts_at: inHours(1), expires_at: inHours(2) });
    await allSay(scan_id, { open: 1, exempt: 0, noncompliant: 1, exempt_resources: 0 });
  });

  test("what is exempt is not repaired: not by a plan, not by one that was approved before, not by itself", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    const scan_id = await world.scan();
    const approved = await world.planned();
    const id = await exemptNow(world.database, { arns: [arn] });
    let text = "";
    const deps = {
      ...world.deps(),
      now: world.time,
      actor: ACTOR,
      color: false,
      out: (more: string) => void (text += more),
    };
    await plan(deps, {});
    expect(text).toContain("Nothing to plan");
    expect(await world.apply(approved)).toMatchObject({ counts: { planned: 1, skipped: 1 } });
    await world.activate(setOf(AUTO_POLICY));
    expect(await autoRemediate(world.deps(), scan_id)).toMatchObject({ planned: 0 });
    expect(world.writes).toBe(0);

    await expireNow(world.database, id);
    expect(await autoRemediate(world.deps(), scan_id)).toMatchObject({ planned: 1, verified: 1 });
    expect(world.tags(arn)["Environment"]).toBe("dev");
  });

  test("under an exemption a finding is still observed: it changes, is resolved and comes back", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const id = await exemptNow(world.database, { rule_id: "environment" });
    const finding = async () =>
      (
        await rowsOf(
          world.database,
          sql`select kind, state, effective_status, resolution, reopen_count from reporting.v1_findings where arn = ${arn}`,
        )
      )[0];
    expect(await finding()).toMatchObject({ kind: "missing", effective_status: "exempt" });

    world.sandbox.setTags(arn, { CostCenter: "CC-0001", Environment: "odd" });
    await world.scan();
    expect(await finding()).toMatchObject({ kind: "invalid", effective_status: "exempt" });

    world.sandbox.setTags(arn, { CostCenter: "CC-0001", Environment: "prod" });
    await world.scan();
    expect(await finding()).toMatchObject({
      state: "resolved",
      effective_status: "resolved",
      resolution: "fixed_observed",
    });
    expect((await exemptionsPage(world.database, { unused: true })).items).toMatchObject([{ id, covered_findings: 0 }]);

    world.sandbox.setTags(arn, { CostCenter: "CC-0001" });
    await world.scan();
    expect(await finding()).toMatchObject({ state: "open", effective_status: "exempt", reopen_count: 1 });
  });

  test("under changed policies the exemption still covers what its scope names", async () => {
    world.create({ CostCenter: "CC-0001" });
    await world.scan();
    await exemptNow(world.database, { rule_id: "environment" });
    await world.activate(
      setOf(POLICY.replace("severity: medium", "").replace("values: [dev, staging, prod]", "values: [dev, prod]")),
    );
    const scan_id = await world.scan();
    await allSay(scan_id, { open: 0, exempt: 1, noncompliant: 0, exempt_resources: 1 });
  });
});
