import { eq, sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { scan_units, scans } from "../../src/inventory/schema.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { useSet } from "../../src/scan/policies.ts";
import { runScan } from "../../src/scan/run.ts";
import { createScan } from "../../src/scan/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { awsOf, POLICIES } from "../support/scan.ts";

const OTHERS = compilePolicies([
  { path: "p.yaml", text: "version: 1\nid: p\nrules:\n  - {id: owner, key: Owner, required: true}\n" },
]);

describeOnBoth("a scan on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let sandbox: Sandbox;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  beforeEach(async () => {
    await emptyTables(opened.database);
    sandbox = await startSandbox({ resources: 200, accounts: 0, regions: ["us-east-1"] });
  });
  afterEach(() => sandbox.close());
  afterAll(() => opened.close());

  /** Begins a scan of the sandbox's account. */
  async function begin(types: Parameters<typeof createScan>[1]["types"]) {
    const now = () => new Date();
    const settings = { mass_close: { share: 0.3, count: 50 }, targets_at_once: 4, accounts: {} };
    const options = { activate: true, confirm: true, guard: settings.mass_close, actor: "test", now: now() };
    await useSet(opened.database, POLICIES, options);
    const target = { partition: "aws", account_id: sandbox.organization.management_account_id, region: "us-east-1" };
    const request = { targets: [target], types, confirm_all: false, trigger: "cli", requested_by: "test" } as const;
    const created = await createScan(opened.database, request, now());
    const aws = awsOf(sandbox);
    return {
      activateOthers: () => useSet(opened.database, OTHERS, { ...options, now: now() }),
      run: () =>
        runScan({ database: opened.database, aws, set: POLICIES, settings, now }, created!.scan).finally(() =>
          aws.close(),
        ),
      row: async () => (await opened.database.select().from(scans).where(eq(scans.id, created!.scan.id)))[0],
    };
  }

  test("whose policies are replaced before it can record says that it is not complete, and why", async () => {
    const scan = await begin(["campaign", "solution"]);
    await scan.activateOthers();
    expect(await scan.run()).toBe("partial");
    expect((await scan.row())?.warnings).toEqual([expect.stringMatching(/other policies were activated.*Scan again/)]);
  });

  test("that the database refuses ends when all its units have, and says why without the values of tags", async () => {
    const scan = await begin(["campaign", "solution", "dataset-group"]);
    await opened.database.execute(sql`alter table resources add constraint no_campaigns check (type <> 'campaign')`);
    try {
      await expect(scan.run()).rejects.toThrow();
      const units = await opened.database.select().from(scan_units);
      expect(new Map(units.map(({ type, state }) => [type, state]))).toEqual(
        new Map([
          ["campaign", "cancelled"],
          ["solution", "complete"],
          ["dataset-group", "complete"],
        ]),
      );
      const row = await scan.row();
      expect(row?.state).toBe("failed");
      expect(row?.error).toMatch(/violates check constraint "no_campaigns"$/);
    } finally {
      await opened.database.execute(sql`alter table resources drop constraint no_campaigns`);
    }
  });
});
