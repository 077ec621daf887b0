import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { plan_actions } from "../../src/remediation/schema.ts";
import type { ApplyDeps } from "../../src/remediation/aws/apply.ts";
import { describeOnBoth } from "../support/database.ts";
import { BUDGETS, World } from "./world.ts";
import { FAST } from "./world-settings.ts";

const POOR = { CostCenter: "CC-0001" };

describeOnBoth("what holds a run back on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());
  const apply = (plan_id: string, more: Partial<ApplyDeps>) =>
    world.apply(plan_id, { timing: { ...FAST, lease_ms: 30_000 }, ...more });

  async function planOf(resources: number): Promise<string> {
    for (let i = 0; i < resources; i++) world.create(POOR);
    await world.scan();
    return world.planned();
  }

  test("an hour's budget is shared by all plans, and there again an hour later", async () => {
    const budgets = { ...BUDGETS, max_changes_per_hour: 3 };
    expect(await apply(await planOf(2), { budgets })).toMatchObject({ outcome: "applied" });
    const next = await planOf(4);
    expect(await apply(next, { budgets })).toMatchObject({
      outcome: "stopped",
      stopped: "the budget of 3 changes an hour is used up",
      counts: { verified: 1, blocked: 3 },
    });
    expect(world.writes).toBe(3);
    expect(await apply(next, { budgets })).toMatchObject({ outcome: "stopped", counts: { verified: 1 } });
    await world.database.update(plan_actions).set({ written_at: sql`clock_timestamp() - interval '61 minutes'` });
    expect(await apply(next, { budgets })).toMatchObject({ outcome: "applied", counts: { verified: 4 } });
  });

  test("in quiet hours nothing is begun, and after them the same plan goes on", async () => {
    const plan_id = await planOf(2);
    const at = world.time.toISOString().slice(11, 16);
    const end = new Date(world.time.getTime() + 3_600_000).toISOString().slice(11, 16);
    const days = [(["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const)[world.time.getUTCDay()]!];
    const budgets = { ...BUDGETS, quiet_hours: [{ days, from: at, to: end, time_zone: "UTC" }] };
    expect(await apply(plan_id, { budgets })).toMatchObject({
      outcome: "stopped",
      stopped: `quiet hours: nothing is changed from ${at} to ${end} (UTC)`,
      counts: { verified: 0, blocked: 2 },
    });
    expect(world.sandbox.calls.by_operation["ListTagsForResource"] ?? 0).toBe(0);
    expect(world.writes).toBe(0);
    world.later(1);
    expect(await apply(plan_id, { budgets })).toMatchObject({ outcome: "applied", counts: { verified: 2 } });
  });

  test("quiet hours that begin during a run stop it before the next change", async () => {
    const plan_id = await planOf(3);
    const from = new Date(world.time.getTime() + 3_600_000).toISOString().slice(11, 16);
    const end = new Date(world.time.getTime() + 7_200_000).toISOString().slice(11, 16);
    const quiet = { days: [...(["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const)], from, to: end };
    const budgets = { ...BUDGETS, quiet_hours: [{ ...quiet, time_zone: "UTC" }] };
    let done = 0;
    const onStep = (step: string) => void (step === "ended" && ++done === 1 && world.later(1));
    expect(await apply(plan_id, { budgets, onStep })).toMatchObject({
      outcome: "stopped",
      counts: { verified: 1 },
    });
    expect(world.writes).toBe(1);
  });

  test("when what is tried first fails, the rest is not begun", async () => {
    const plan_id = await planOf(12);
    world.sandbox.setFaults([{ kind: "access_denied", operation: "TagResource" }]);
    const budgets = { ...BUDGETS, canary: { share: 0.05, least: 4 }, actions_at_once: 8 };
    expect(await apply(plan_id, { budgets })).toMatchObject({
      outcome: "stopped",
      stopped: "of the first 4 actions, tried before all others, 4 failed",
      counts: { planned: 12, failed: 4, blocked: 8 },
    });
    expect(world.writes).toBe(4);
  });

  test("after that, applying again tries others first; the rest does not follow because some have failed already", async () => {
    const plan_id = await planOf(20);
    world.sandbox.setFaults([{ kind: "access_denied", operation: "TagResource" }]);
    const budgets = { ...BUDGETS, canary: { share: 0.05, least: 4 } };
    for (const failed of [4, 8]) {
      expect(await apply(plan_id, { budgets })).toMatchObject({
        stopped: "of the first 4 actions, tried before all others, 4 failed",
        counts: { failed, blocked: 20 - failed },
      });
    }
    world.sandbox.setFaults([]);
    expect(await apply(plan_id, { budgets })).toMatchObject({
      outcome: "applied",
      counts: { failed: 8, verified: 12 },
    });
  });

  test("what could not be tried from the beginning does not count as tried first", async () => {
    for (let i = 0; i < 6; i++) world.create({ ...POOR, "aws:cloudformation:stack-name": "shop" });
    const plan_id = await planOf(10);
    world.sandbox.setFaults([{ kind: "access_denied", operation: "TagResource" }]);
    const budgets = { ...BUDGETS, canary: { share: 0.05, least: 4 } };
    expect(await apply(plan_id, { budgets })).toMatchObject({
      stopped: "of the first 4 actions, tried before all others, 4 failed",
      counts: { planned: 16, failed: 4, blocked: 12 },
    });
  });

  test("when it goes well, the rest follows, and a run that goes on tries nothing first again", async () => {
    const plan_id = await planOf(10);
    const budgets = { ...BUDGETS, canary: { share: 0.2, least: 0 }, max_changes: 5 };
    expect(await apply(plan_id, { budgets })).toMatchObject({ outcome: "stopped", counts: { verified: 5 } });
    world.sandbox.setFaults([{ kind: "access_denied", operation: "TagResource" }]);
    expect(await apply(plan_id, { budgets })).toMatchObject({
      outcome: "applied",
      counts: { failed: 5, verified: 5 },
    });
  });

  test("several actions at once in one account and region write each resource once", async () => {
    const plan_id = await planOf(40);
    world.sandbox.setLatency(5);
    let under_way = 0;
    let most = 0;
    const onStep = (step: string) => {
      if (step === "intended") most = Math.max(most, ++under_way);
      if (step === "ended") under_way--;
    };
    const result = await apply(plan_id, { budgets: { ...BUDGETS, actions_at_once: 8 }, onStep });
    world.sandbox.setLatency(0);
    expect(result).toMatchObject({ outcome: "applied", counts: { planned: 40, verified: 40 }, remaining: 0 });
    expect(world.writes).toBe(40);
    expect(most).toBe(8);
  });

  test("a budget is kept exactly, however many actions are under way", async () => {
    const plan_id = await planOf(30);
    const budgets = { ...BUDGETS, actions_at_once: 8, max_changes: 11 };
    expect(await apply(plan_id, { budgets })).toMatchObject({ outcome: "stopped", counts: { verified: 11 } });
    expect(world.writes).toBe(11);
  });

  test("failures stop a run with no more begun than were under way", async () => {
    const plan_id = await planOf(60);
    world.sandbox.setFaults([{ kind: "access_denied", operation: "TagResource" }]);
    const result = await apply(plan_id, { budgets: { ...BUDGETS, actions_at_once: 8 } });
    expect(result).toMatchObject({ outcome: "stopped" });
    expect(world.writes).toBeGreaterThanOrEqual(20);
    expect(world.writes).toBeLessThanOrEqual(27);
  });
});
