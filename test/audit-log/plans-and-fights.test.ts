import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { verifyAudit } from "../../src/audit-log/store.ts";
import { endOne } from "../../src/cli/fights.ts";
import { undo } from "../../src/cli/undo.ts";
import { loadPlan } from "../../src/remediation/store.ts";
import { openApp } from "../http/open-app.ts";
import { ACTOR, World } from "../remediation/world.ts";
import { ANYONE } from "../remediation/world-settings.ts";
import { describeOnBoth } from "../support/database.ts";
import { listener } from "./told.ts";

const POOR = { CostCenter: "CC-0001" };

describeOnBoth("the audit log and plans, undo and fights, on %s", (kind) => {
  let world: World;
  let told: () => Promise<string[]>;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset();
    told = listener(world.database);
    await told();
  });

  const deps = () => ({
    ...world.deps(),
    now: world.time,
    actor: ACTOR,
    approval: ANYONE,
    color: false,
    out: () => undefined,
  });

  async function post(
    path: string,
    body: unknown,
  ): Promise<{ status: number; body: { plan?: { id: string; hash: string } } }> {
    const { app } = openApp(world.database, { now: world.now });
    const answer = await app.request(`/api/v1${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as { plan?: { id: string; hash: string } } };
  }

  test("a plan through the API has one entry when it is made, approved, asked for or rejected, and none when that is refused or repeated", async () => {
    world.create(POOR);
    await world.scan();
    const { id = "", hash = "" } = (await post("/plans", { requested_by: "ana" })).body.plan ?? {};
    expect(await told()).toEqual([`plan.created ${id}`]);
    expect((await post(`/plans/${id}/approve`, { approved_by: "bo", hash: "another" })).status).toBe(409);
    expect(await told()).toEqual([]);
    await post(`/plans/${id}/approve`, { approved_by: "bo", hash });
    expect(await told()).toEqual([`plan.approved ${id}`]);
    for (const _ of [1, 2]) expect((await post(`/plans/${id}/apply`, { requested_by: "cy" })).status).toBe(202);
    expect(await told()).toEqual([`plan.apply_requested ${id}`]);
    expect((await post(`/plans/${id}/undo`, { requested_by: "cy" })).status).toBe(200);
    expect(await told()).toEqual([]);
    await post(`/plans/${id}/reject`, { rejected_by: "bo", note: "later" });
    expect(await told()).toEqual([`plan.rejected ${id}`]);
    expect((await post(`/plans/${id}/reject`, { rejected_by: "bo" })).status).toBe(409);
    expect(await told()).toEqual([]);
  });

  test("an undo is told of as the plan that it is, with its run and its write", async () => {
    const arn = world.create(POOR);
    await world.scan();
    const plan_id = await world.planned();
    await world.apply(plan_id);
    await told();
    await undo(deps(), plan_id, {});
    const [entry = ""] = await told();
    const id = entry.replace("plan.created ", "");
    await post(`/plans/${id}/approve`, { approved_by: "bo", hash: (await loadPlan(world.database, id))?.plan.hash });
    await world.apply(id);
    expect(await told()).toEqual([
      `plan.approved ${id}`,
      `plan.run_started ${id}`,
      `write.began ${arn}`,
      `write.ended ${arn}`,
      `plan.run_ended ${id}`,
    ]);
  });

  test("the end of a fight has one entry, on the command line and through the API", async () => {
    const arn = world.create(POOR);
    const fight = async () => {
      for (let reverts = 0; reverts < 2; reverts++) {
        await world.scan();
        await world.apply(await world.planned());
        world.later(24);
        world.sandbox.setTags(arn, POOR);
      }
      await world.scan();
      await told();
    };
    await fight();
    expect(await endOne(deps(), arn, "CostCenter", { actor: ACTOR, reason: "no such fight", now: world.time })).toBe(1);
    expect(await told()).toEqual([]);
    expect(await endOne(deps(), arn, "Environment", { actor: ACTOR, reason: "settled", now: world.time })).toBe(0);
    expect(await told()).toEqual([`fight.ended ${arn}`]);
    await fight();
    const end = { arn, key: "Environment", ended_by: "ana", reason: "settled" };
    expect((await post("/fights/end", end)).status).toBe(200);
    expect(await told()).toEqual([`fight.ended ${arn}`]);
    expect((await post("/fights/end", end)).status).toBe(409);
    expect(await told()).toEqual([]);
    expect((await verifyAudit(world.database)).fault).toBeNull();
  });
});
