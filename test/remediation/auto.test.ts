import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { resources } from "../../src/inventory/schema.ts";
import { autoRemediate } from "../../src/remediation/aws/auto.ts";
import { plans } from "../../src/remediation/schema.ts";
import { describeOnBoth } from "../support/database.ts";
import { AUTO_POLICY, BUDGETS, GOOD, setOf, World } from "./world.ts";

const NONE = { planned: 0, verified: 0, unchanged: 0, conflict: 0, failed: 0, blocked: 0, skipped: 0 };

describeOnBoth("repair after a scan on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset(setOf(AUTO_POLICY)));

  test("does by itself what a policy with remediation: auto asks for", async () => {
    const arn = world.create({ "cost-center": "CC-1234" });
    const scan_id = await world.scan();
    expect(await autoRemediate(world.deps(), scan_id)).toEqual({ ...NONE, planned: 1, verified: 1 });
    expect(world.tags(arn)).toEqual({ CostCenter: "CC-1234", Environment: "dev" });
    expect(await world.database.select().from(plans)).toMatchObject([
      { mode: "auto", state: "applied", scan_id, created_by: "auto", approved_by: "auto" },
    ]);
    expect(await world.findingsOf(arn)).toEqual({
      environment: "fixed_by_remediation",
      "cost-center": "fixed_by_remediation",
    });
  });

  test("nothing to do: no plan, no call, all counts zero", async () => {
    world.create(GOOD);
    const scan_id = await world.scan();
    world.sandbox.calls.reset();
    expect(await autoRemediate(world.deps(), scan_id)).toEqual(NONE);
    expect(await world.database.select().from(plans)).toEqual([]);
    expect(world.sandbox.calls.total).toBe(0);
  });

  test("leaves to a person what a rule protects, and what other policies only plan", async () => {
    const protectedSet = AUTO_POLICY.replace("    values: [dev", "    protected: true\n    values: [dev");
    const planOnly = `
version: 1
id: q
title: More
rules:
  - {id: team, key: Team, required: true, fix: {missing: {value: data}}}
`;
    await world.reset(setOf(protectedSet, planOnly));
    const arn = world.create({ "cost-center": "CC-1234" });
    const scan_id = await world.scan();
    expect(await autoRemediate(world.deps(), scan_id)).toEqual({ ...NONE, planned: 1, verified: 1 });
    expect(world.tags(arn)).toEqual({ CostCenter: "CC-1234" });
    const { actions } = await world.draft();
    expect(actions).toMatchObject([{ protected: true, changes: [{ key: "Environment" }, { key: "Team" }] }]);
  });

  test("what a stack manages is counted as blocked", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    const scan_id = await world.scan();
    await world.database.update(resources).set({ stack: "shop" }).where(eq(resources.arn, arn));
    expect(await autoRemediate(world.deps(), scan_id)).toEqual({ ...NONE, planned: 1, blocked: 1 });
    expect(world.writes).toBe(0);
    expect(await world.database.select().from(plans)).toEqual([]);
  });

  test("keeps to the budgets; what is left counts as blocked and is done after the next scan", async () => {
    for (let i = 0; i < 5; i++) world.create({ CostCenter: "CC-0001" });
    const deps = world.deps({ budgets: { ...BUDGETS, max_changes: 3 } });
    expect(await autoRemediate(deps, await world.scan())).toEqual({ ...NONE, planned: 5, verified: 3, blocked: 2 });
    expect(world.writes).toBe(3);
    expect(await autoRemediate(deps, await world.scan())).toEqual({ ...NONE, planned: 2, verified: 2 });
  });

  test("stopped by errors it leaves no half plan behind", async () => {
    for (let i = 0; i < 25; i++) world.create({ CostCenter: "CC-0001" });
    const scan_id = await world.scan();
    world.sandbox.setFaults([{ kind: "access_denied", operation: "TagResource" }]);
    expect(await autoRemediate(world.deps(), scan_id)).toEqual({ ...NONE, planned: 25, failed: 20, blocked: 5 });
    expect(await world.database.select().from(plans)).toMatchObject([
      { state: "applied", stopped: "20 of 20 tried actions failed" },
    ]);
  });

  test("a run that died is ended after the next scan, and counted there", async () => {
    const arns = [
      world.create({ "cost-center": "CC-1234", Environment: "prod" }),
      world.create({ CostCenter: "CC-0001" }),
    ];
    const deps = world.deps({
      onStep: (step) => {
        if (step === "between") throw new Error("died");
      },
    });
    await expect(autoRemediate(deps, await world.scan())).rejects.toThrow("died");
    const counts = await autoRemediate(world.deps(), await world.scan());
    expect(counts.verified).toBeGreaterThanOrEqual(1);
    expect(counts.planned).toBe(counts.verified + counts.blocked);
    for (const arn of arns) expect(world.tags(arn)).not.toHaveProperty("cost-center");
    await autoRemediate(world.deps(), await world.scan());
    expect(world.tags(arns[1]!)["Environment"]).toBe("dev");
  });

  test("keeps to the targets and types of the scan", async () => {
    const { id } = { id: await world.scan() };
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    expect(await autoRemediate(world.deps(), id)).toEqual(NONE);
    expect(world.tags(arn)).toEqual({ CostCenter: "CC-0001" });
  });
});
