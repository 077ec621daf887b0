import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { resources } from "../../src/inventory/schema.ts";
import { plan_actions, plans } from "../../src/remediation/schema.ts";
import { approvePlan, createPlan, rejectPlan } from "../../src/remediation/store.ts";
import { exemptNow, expireNow } from "../support/exemptions.ts";
import { describeOnBoth } from "../support/database.ts";
import { ACTOR, AUTO_POLICY, BUDGETS, filler, GOOD, POLICY, setOf, World } from "./world.ts";

const NONE = { planned: 0, verified: 0, unchanged: 0, conflict: 0, failed: 0, blocked: 0, skipped: 0 };

describeOnBoth("applying a plan on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  test("a plan asks for nothing where nothing is wrong", async () => {
    world.create(GOOD);
    await world.scan();
    expect(await world.draft()).toEqual({ actions: [], blocked: [], review: [] });
  });

  test("writes what was planned, verifies it, resolves the findings and leaves other tags alone", async () => {
    const missing = world.create({ CostCenter: "CC-0001", Keep: "me" });
    const variant = world.create({ Environment: "prod", "cost-center": "CC-1234", Keep: "me" });
    const mapped = world.create({ ...GOOD, Environment: "Production" });
    const leftover = world.create({ ...GOOD, "temp:x": "1" });
    const several = world.create({ "cost-center": "CC-9999", "temp:y": "1" });
    await world.scan();

    const result = await world.apply(await world.planned());

    expect(result).toEqual({
      outcome: "applied",
      counts: { ...NONE, planned: 5, verified: 5 },
      remaining: 0,
      stopped: null,
    });
    expect(world.tags(missing)).toEqual({ CostCenter: "CC-0001", Keep: "me", Environment: "dev" });
    expect(world.tags(variant)).toEqual({ Environment: "prod", CostCenter: "CC-1234", Keep: "me" });
    expect(world.tags(mapped)).toEqual(GOOD);
    expect(world.tags(leftover)).toEqual(GOOD);
    expect(world.tags(several)).toEqual({ CostCenter: "CC-9999", Environment: "dev" });
    expect(await world.findingsOf(missing)).toEqual({ environment: "fixed_by_remediation" });
    expect(await world.findingsOf(several)).toEqual({
      environment: "fixed_by_remediation",
      "cost-center": "fixed_by_remediation",
      "no-leftovers": "fixed_by_remediation",
    });
    expect((await world.draft()).actions).toEqual([]);
  });

  test("journals what was there before and after", async () => {
    const arn = world.create({ "cost-center": "CC-1234", Environment: "prod" });
    await world.scan();
    const plan_id = await world.planned();
    await world.apply(plan_id);
    expect(await world.action(plan_id, arn)).toMatchObject({
      state: "verified",
      attempts: 1,
      tags_before: { "cost-center": "CC-1234", Environment: "prod" },
      tags_after: { CostCenter: "CC-1234", Environment: "prod" },
    });
  });

  test("applied again it does nothing, and says so", async () => {
    world.create({});
    await world.scan();
    const plan_id = await world.planned();
    await world.apply(plan_id);
    const { writes } = world;
    expect(await world.apply(plan_id)).toEqual({
      outcome: "nothing_to_do",
      counts: { ...NONE, planned: 1, verified: 1 },
      remaining: 0,
      stopped: null,
    });
    expect(world.writes).toBe(writes);
  });

  test("what someone else changed since the plan is a conflict, and their value stays", async () => {
    const missing = world.create({ CostCenter: "CC-0001" });
    const mapped = world.create({ ...GOOD, Environment: "Production" });
    const variant = world.create({ Environment: "prod", "cost-center": "CC-1234" });
    const removed = world.create({ Environment: "prod", "cost-center": "CC-1234" });
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setTags(missing, { CostCenter: "CC-0001", Environment: "staging" });
    world.sandbox.setTags(mapped, { ...GOOD, Environment: "PROD" });
    world.sandbox.setTags(variant, { Environment: "prod", "cost-center": "CC-4321" });
    world.sandbox.setTags(removed, { Environment: "prod" });

    const result = await world.apply(plan_id);

    expect(result).toMatchObject({ counts: { ...NONE, planned: 4, conflict: 4 } });
    expect(world.tags(missing)["Environment"]).toBe("staging");
    expect(world.tags(mapped)["Environment"]).toBe("PROD");
    expect(world.tags(variant)).toEqual({ Environment: "prod", "cost-center": "CC-4321" });
    expect(world.tags(removed)).toEqual({ Environment: "prod" });
    expect(world.writes).toBe(0);
    expect(await world.findingsOf(missing)).toEqual({ environment: "open" });
    expect((await world.action(plan_id, missing)).note).toContain("Environment was changed by someone else");
  });

  test("a key that the decision read and that changed since is a conflict", async () => {
    const arn = world.create({ Environment: "prod", "cost-center": "CC-1234" });
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setTags(arn, { Environment: "prod", "cost-center": "CC-1234", costcenter: "CC-7777" });
    expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, conflict: 1 } });
    expect(world.tags(arn)).toEqual({ Environment: "prod", "cost-center": "CC-1234", costcenter: "CC-7777" });
  });

  test("another tag may change in between: it is applied, and that change stays", async () => {
    const arn = world.create({ CostCenter: "CC-0001", Note: "old" });
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setTags(arn, { CostCenter: "CC-0001", Note: "new", Extra: "1" });
    expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, verified: 1 } });
    expect(world.tags(arn)).toEqual({ CostCenter: "CC-0001", Note: "new", Extra: "1", Environment: "dev" });
  });

  test("what is already as planned is unchanged, and its finding resolves as observed", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setTags(arn, { CostCenter: "CC-0001", Environment: "dev" });
    expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, unchanged: 1 } });
    expect(world.writes).toBe(0);
    expect(await world.findingsOf(arn)).toEqual({ environment: "fixed_observed" });
  });

  test("a finding that is resolved, exempt or no longer asked for is skipped without asking AWS", async () => {
    const resolved = world.create({ CostCenter: "CC-0001" });
    const exempt = world.create({ CostCenter: "CC-0001" });
    const other = world.create({ ...GOOD, "temp:x": "1" });
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setTags(resolved, GOOD);
    await world.scan();
    await exemptNow(world.database, { arns: [exempt], rule_id: "environment" });
    await world.activate(setOf(POLICY.replace("fix: {forbidden: remove}", "fix: {forbidden: review}")));
    world.sandbox.calls.reset();

    expect(await world.apply(plan_id)).toMatchObject({ counts: { ...NONE, planned: 3, skipped: 3 } });
    expect(world.sandbox.calls.by_operation["ListTagsForResource"] ?? 0).toBe(0);
    expect((await world.action(plan_id, exempt)).note).toContain("exemption");
    expect((await world.action(plan_id, other)).note).toContain("no longer ask");
  });

  test("a plan made before an exemption expired is applied once it has", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const id = await exemptNow(world.database, { accounts: [world.account_id] });
    expect((await world.draft()).actions).toEqual([]);
    await expireNow(world.database, id);
    await world.apply(await world.planned());
    expect(world.tags(arn)["Environment"]).toBe("dev");
  });

  test("another value in the policy since the plan: skipped, nothing written", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    await world.activate(setOf(POLICY.replace("value: dev", "value: staging")));
    expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, skipped: 1 } });
    expect(world.tags(arn)).toEqual({ CostCenter: "CC-0001" });
  });

  test("other policies activated while a plan is applied: it stops before the next write, and goes on by them", async () => {
    const arns = Array.from({ length: 4 }, () => world.create({ CostCenter: "CC-0001" }));
    await world.scan();
    const plan_id = await world.planned();
    const activated = setOf(POLICY.replace("remediation: plan", "remediation: off"));
    const result = await world.apply(plan_id, {
      onStep: async (step) => {
        if (step === "ended" && world.set !== activated) await world.activate(activated);
      },
    });
    expect(result).toMatchObject({ outcome: "stopped", counts: { ...NONE, planned: 4, verified: 1, blocked: 3 } });
    expect(result).toMatchObject({ stopped: expect.stringContaining("policies were activated") as string });
    expect(world.writes).toBe(1);
    expect(await world.apply(plan_id)).toMatchObject({
      outcome: "applied",
      counts: { ...NONE, planned: 4, verified: 1, skipped: 3 },
    });
    expect(arns.filter((arn) => "Environment" in world.tags(arn))).toHaveLength(1);
  });

  test("a resource that is gone is skipped", async () => {
    const arn = world.create({});
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.deleteResource(arn);
    expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, skipped: 1 } });
  });

  test("what a stack manages is never written, whether known at planning or only when read", async () => {
    const known = world.create({});
    const late = world.create({});
    await world.scan();
    await world.database.update(resources).set({ stack: "shop" }).where(eq(resources.arn, known));
    const draft = await world.draft();
    expect(draft.blocked.map(({ arn }) => arn)).toEqual([known]);
    const plan_id = await world.planned();
    await world.database.update(resources).set({ stack: "shop" }).where(eq(resources.arn, late));
    expect(await world.apply(plan_id)).toMatchObject({ counts: { ...NONE, planned: 2, blocked: 2 } });
    expect(world.writes).toBe(0);
  });

  test("at 50 tags a rename removes the old key first; at 49 it adds the new one first", async () => {
    const full = world.create({ ...filler(48), Environment: "prod", "cost-center": "CC-1234" });
    const room = world.create({ ...filler(47), Environment: "prod", "cost-center": "CC-1234" });
    await world.scan();
    const plan_id = await world.planned();
    const between: Record<string, Record<string, string>> = {};
    const result = await world.apply(plan_id, {
      onStep: (step, { arn }) => {
        if (step === "between") between[arn] = world.tags(arn);
      },
    });
    expect(result).toMatchObject({ counts: { planned: 2, verified: 2 } });
    expect(between[full]).not.toHaveProperty("cost-center");
    expect(between[room]).toMatchObject({ CostCenter: "CC-1234", "cost-center": "CC-1234" });
    expect(world.tags(full)).toEqual({ ...filler(48), Environment: "prod", CostCenter: "CC-1234" });
    expect(world.tags(room)).toEqual({ ...filler(47), Environment: "prod", CostCenter: "CC-1234" });
  });

  test("no room for a new key is blocked; the rename beside it is made", async () => {
    const arn = world.create({ ...filler(49), "cost-center": "CC-1234" });
    await world.scan();
    expect(await world.apply(await world.planned())).toMatchObject({ counts: { planned: 2, verified: 1, blocked: 1 } });
    expect(world.tags(arn)).toEqual({ ...filler(49), CostCenter: "CC-1234" });
  });

  test("room that someone else took since the plan is a conflict", async () => {
    const arn = world.create({ ...filler(48), CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setTags(arn, { ...filler(49), CostCenter: "CC-0001" });
    expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, conflict: 1 } });
    expect(world.writes).toBe(0);
  });

  test("stops at the budget of a run, says so, and goes on when applied again", async () => {
    for (let i = 0; i < 5; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    const deps = { budgets: { ...BUDGETS, max_changes: 2 } };
    const first = await world.apply(plan_id, deps);
    expect(first).toMatchObject({ outcome: "stopped", counts: { planned: 5, verified: 2, blocked: 3 }, remaining: 3 });
    expect(world.writes).toBe(2);
    await world.apply(plan_id, deps);
    const last = await world.apply(plan_id, deps);
    expect(last).toMatchObject({ outcome: "applied", counts: { planned: 5, verified: 5 }, remaining: 0 });
    expect(world.writes).toBe(5);
  });

  test("the budget of a target holds that target only", async () => {
    for (let i = 0; i < 3; i++) world.create({ CostCenter: "CC-0001" });
    for (let i = 0; i < 2; i++) world.create({ CostCenter: "CC-0001" }, { region: "eu-west-1" });
    await world.scan();
    const result = await world.apply(await world.planned(), { budgets: { ...BUDGETS, max_changes_per_target: 2 } });
    expect(result).toMatchObject({ outcome: "stopped", counts: { planned: 5, verified: 4, blocked: 1 } });
  });

  test("stops when a fifth of at least twenty failed", async () => {
    for (let i = 0; i < 30; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    world.sandbox.setFaults([{ kind: "access_denied", operation: "TagResource" }]);
    const result = await world.apply(await world.planned());
    expect(result).toMatchObject({
      outcome: "stopped",
      counts: { planned: 30, failed: 20, blocked: 10 },
      remaining: 10,
    });
    expect(world.writes).toBe(20);
  });

  test("a run that stops at any error goes on as long as there is none", async () => {
    for (let i = 0; i < 4; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const result = await world.apply(await world.planned(), {
      budgets: { ...BUDGETS, error_share: 0, error_minimum: 2 },
    });
    expect(result).toMatchObject({ outcome: "applied", counts: { ...NONE, planned: 4, verified: 4 } });
  });

  test("an account that cannot be entered is blocked, the others are done", async () => {
    const here = world.create({ CostCenter: "CC-0001" });
    const other = world.sandbox.organization.accounts.find(({ id }) => id !== world.account_id)!;
    const there = world.sandbox.createResource({ account_id: other.id, region: "us-east-1" }, "dataset-group", "x", {});
    await world.scan();
    const plan_id = await world.planned();
    expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 2, verified: 1, blocked: 1 } });
    expect((await world.action(plan_id, there)).note).toContain("MissingRoleError");
    expect(world.tags(here)["Environment"]).toBe("dev");
  });

  test("a plan is applied only as it was approved, in time", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const about = { mode: "plan", policy_set_id: world.set.id, actor: ACTOR, now: world.time } as const;
    const plan = (await createPlan(world.database, await world.draft(), about))!;
    expect(await createPlan(world.database, await world.draft(), about)).toEqual(plan);
    expect(await world.apply(plan.id)).toEqual({ outcome: "refused", reason: "not_approved" });
    const approval = { actor: ACTOR, now: world.time };
    expect(await approvePlan(world.database, plan.id, { ...approval, hash: "other" })).toEqual({
      outcome: "hash_differs",
    });
    expect(await approvePlan(world.database, plan.id, { ...approval, hash: plan.hash })).toMatchObject({
      outcome: "done",
    });

    const [{ changes }] = (await world.database.select().from(plan_actions)) as [typeof plan_actions.$inferSelect];
    await world.database.update(plan_actions).set({ changes: [{ key: "Environment", before: null, after: "prod" }] });
    expect(await world.apply(plan.id)).toEqual({ outcome: "refused", reason: "hash_differs" });
    await world.database.update(plan_actions).set({ changes });

    world.later(24 * 7 + 1);
    expect(await approvePlan(world.database, plan.id, { actor: ACTOR, now: world.time, hash: plan.hash })).toEqual({
      outcome: "expired",
    });
    expect(await world.apply(plan.id)).toEqual({ outcome: "refused", reason: "expired" });
    await rejectPlan(world.database, plan.id, { actor: ACTOR, now: world.time });
    expect(await world.apply(plan.id)).toEqual({ outcome: "refused", reason: "rejected" });
    expect(await world.apply("none")).toEqual({ outcome: "refused", reason: "not_found" });
    expect(world.tags(arn)).toEqual({ CostCenter: "CC-0001" });
    expect(world.writes).toBe(0);
  });

  test("tags that begin with aws: are never touched and not counted", async () => {
    const managed = [...world.sandbox.resources()].some(({ tags }) =>
      [...tags.keys()].some((key) => key.startsWith("aws:")),
    );
    expect(managed).toBe(false);
    const arn = world.create({ ...filler(48), CostCenter: "CC-0001" });
    await world.scan();
    await world.apply(await world.planned());
    expect(Object.keys(world.tags(arn))).toHaveLength(50);
  });

  test("aborted, it begins nothing more, and goes on when applied again", async () => {
    for (let i = 0; i < 4; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    const controller = new AbortController();
    const stopped = await world.apply(
      plan_id,
      { onStep: (step) => void (step === "ended" && controller.abort()) },
      controller.signal,
    );
    expect(stopped).toMatchObject({ outcome: "stopped", stopped: "interrupted", counts: { verified: 1, blocked: 3 } });
    expect(await world.apply(plan_id)).toMatchObject({ outcome: "applied", counts: { planned: 4, verified: 4 } });
    expect(world.writes).toBe(4);
    expect(await world.database.select().from(plans)).toMatchObject([{ state: "applied", run_id: null }]);
  });

  test("an automatic set does not change what a plan by hand asks for", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    await world.activate(setOf(AUTO_POLICY));
    expect(await world.apply(plan_id)).toMatchObject({ counts: { verified: 1 } });
    expect(world.tags(arn)["Environment"]).toBe("dev");
  });
});
