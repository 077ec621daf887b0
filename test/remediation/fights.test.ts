import { and, count, eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { driftOf, sizeOf } from "../../src/findings/db/rollup-drift.ts";
import { endFight, listFights } from "../../src/findings/db/fights.ts";
import type { FindingRow } from "../../src/findings/changes.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { units } from "../../src/inventory/schema.ts";
import { autoRemediate } from "../../src/remediation/aws/auto.ts";
import { compliance, openBySeverity, rules } from "../../src/reports/store.ts";
import { describeOnBoth } from "../support/database.ts";
import { exemptNow } from "../support/exemptions.ts";
import { plannedUndo } from "./undoing.ts";
import { ACTOR, AUTO_POLICY, POLICY, setOf, World } from "./world.ts";

const DAY = 24;
const TAGS = { CostCenter: "CC-0001" };

describeOnBoth("fights on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  /** A repair, and somebody who reverts it a day later. */
  async function repairedAndReverted(arn: string, hours = DAY): Promise<void> {
    await world.scan();
    await world.apply(await world.planned());
    world.later(hours);
    world.sandbox.setTags(arn, TAGS);
    await world.scan();
  }

  async function fought(): Promise<string> {
    const arn = world.create(TAGS);
    await repairedAndReverted(arn);
    await repairedAndReverted(arn);
    return arn;
  }

  async function fightOf(arn: string): Promise<FindingRow | undefined> {
    const [row] = await world.database
      .select()
      .from(findings)
      .where(and(eq(findings.arn, arn), eq(findings.rule_id, "fight")));
    return row;
  }

  async function events(): Promise<number> {
    const [row] = await world.database.select({ n: count() }).from(finding_events);
    return row?.n ?? 0;
  }

  test("a repair that is reverted once is no fight; twice within 7 days is a finding of its own", async () => {
    const arn = world.create(TAGS);
    await repairedAndReverted(arn);
    expect(await fightOf(arn)).toBeUndefined();
    await repairedAndReverted(arn);
    expect(await fightOf(arn)).toMatchObject({
      policy_id: "tagwarden",
      key: "Environment",
      kind: "fight",
      severity: "medium",
      state: "open",
      opened_cause: "reverted",
      detail: {
        message: "The repair of Environment that p/environment asks for was reverted 2 times within 7 days",
        fight: { policy_id: "p", rule_id: "environment", reverts: 2, reverted_at: world.time.toISOString() },
      },
    });
  });

  test("reverts that are more than 7 days apart are no fight", async () => {
    const arn = world.create(TAGS);
    await repairedAndReverted(arn);
    world.later(7 * DAY);
    await repairedAndReverted(arn);
    expect(await fightOf(arn)).toBeUndefined();
  });

  test("what we undo ourselves is no revert", async () => {
    const arn = world.create(TAGS);
    for (let i = 0; i < 2; i++) {
      await world.scan();
      const plan_id = await world.planned();
      await world.apply(plan_id);
      world.later(1);
      await world.apply(await plannedUndo(world, plan_id));
    }
    await world.scan();
    expect(await fightOf(arn)).toBeUndefined();
  });

  test("scanned again, nothing is written; the fight stays", async () => {
    const arn = await fought();
    const before = await events();
    await world.scan();
    await world.scan();
    expect(await events()).toBe(before);
    expect(await fightOf(arn)).toMatchObject({ state: "open", reopen_count: 0 });
  });

  test("while it goes on the change is planned as blocked, with the reason, and other keys are repaired", async () => {
    const arn = await fought();
    world.sandbox.setTags(arn, { ...TAGS, "temp:x": "1" });
    await world.scan();
    const { actions, blocked, review } = await world.draft();
    expect(actions.map(({ changes }) => changes)).toEqual([[{ key: "temp:x", before: "1", after: null }]]);
    expect(blocked).toMatchObject([{ arn, note: expect.stringContaining("tagwarden fights end") as string }]);
    expect(review).toEqual([]);
    await world.apply(await world.planned());
    expect(world.tags(arn)).toEqual(TAGS);
  });

  test("an older plan ends its action as blocked", async () => {
    const arn = world.create(TAGS);
    await repairedAndReverted(arn);
    const older = await world.planned();
    await repairedAndReverted(arn);
    await world.apply(older);
    expect(await world.action(older, arn)).toMatchObject({
      state: "blocked",
      note: expect.stringContaining("reverted twice") as string,
    });
    expect(world.tags(arn)).toEqual(TAGS);
  });

  test("automatic repair leaves it alone, also where someone exempted the fight", async () => {
    await world.activate(setOf(AUTO_POLICY));
    const arn = world.create(TAGS);
    for (let i = 0; i < 2; i++) {
      await autoRemediate(world.deps(), await world.scan());
      expect(world.tags(arn)).toHaveProperty("Environment", "dev");
      world.later(DAY);
      world.sandbox.setTags(arn, TAGS);
    }
    const scan_id = await world.scan();
    await exemptNow(world.database, { policy_id: "tagwarden", arns: [arn] });
    expect(await autoRemediate(world.deps(), scan_id)).toMatchObject({ planned: 1, blocked: 1, verified: 0 });
    expect(world.tags(arn)).toEqual(TAGS);
  });

  test("ended by a person, with a reason, it is repaired again, and reverts are counted anew", async () => {
    const arn = await fought();
    expect(await listFights(world.database)).toMatchObject([{ arn, key: "Environment" }]);
    world.later(1);
    const end = { actor: ACTOR, reason: "the pipeline sets it now", now: world.time };
    expect(await endFight(world.database, arn, "Environment", end)).toBe(true);
    expect(await endFight(world.database, arn, "Environment", end)).toBe(false);
    expect(await listFights(world.database)).toEqual([]);
    expect(await fightOf(arn)).toMatchObject({
      state: "resolved",
      resolution: "ended",
      detail: { fight: { end_reason: "the pipeline sets it now" } },
    });
    expect(await world.findingsOf(arn)).toMatchObject({ environment: "open" });

    await repairedAndReverted(arn);
    expect(await fightOf(arn)).toMatchObject({ state: "resolved" });
    await repairedAndReverted(arn);
    expect(await fightOf(arn)).toMatchObject({ state: "open", reopen_count: 1 });
  });

  test("it is over when nothing was found about the key for 7 days, not before", async () => {
    const arn = await fought();
    world.sandbox.setTags(arn, { ...TAGS, Environment: "prod" });
    await world.scan();
    world.later(6 * DAY);
    await world.scan();
    expect(await fightOf(arn)).toMatchObject({ state: "open" });
    world.later(DAY);
    await world.scan();
    expect(await fightOf(arn)).toMatchObject({ state: "resolved", resolution: "fixed_observed" });
  });

  test("other policies do not end it, and the resource's end does", async () => {
    const arn = await fought();
    await world.activate(setOf(POLICY.replace("id: environment", "id: stage")));
    expect(await fightOf(arn)).toMatchObject({ state: "open" });
    world.create(TAGS);
    world.sandbox.deleteResource(arn);
    await world.scan();
    await world.scan();
    expect(await fightOf(arn)).toMatchObject({ state: "resolved", resolution: "resource_gone" });
  });

  test("a fight makes its resource noncompliant no second time, and the numbers agree", async () => {
    const arn = await fought();
    await world.database.update(units).set({ listed: true });
    expect(await compliance(world.database)).toMatchObject({ noncompliant: 1, compliant: 0 });
    expect(await openBySeverity(world.database)).toMatchObject({ medium: 2 });
    expect(await rules(world.database)).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ policy_id: "tagwarden", rule_id: "fight", active: false, open_findings: 1 }),
        expect.objectContaining({ policy_id: "p", rule_id: "environment", noncompliant: 1 }),
      ]) as unknown[],
    );
    expect(sizeOf(await driftOf(world.database))).toBe(0);
    world.sandbox.setTags(arn, { ...TAGS, Environment: "prod" });
    await world.scan();
    expect(await compliance(world.database)).toMatchObject({ noncompliant: 0, compliant: 1 });
    expect(await openBySeverity(world.database)).toMatchObject({ medium: 1 });
    expect(sizeOf(await driftOf(world.database))).toBe(0);
  });
});
