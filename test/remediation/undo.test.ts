import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { findings } from "../../src/findings/schema.ts";
import { resources } from "../../src/inventory/schema.ts";
import { plan_actions, plans } from "../../src/remediation/schema.ts";
import { loadPlan } from "../../src/remediation/store.ts";
import { describeOnBoth } from "../support/database.ts";
import { plannedUndo, undoDraft } from "./undoing.ts";
import { filler, GOOD, POLICY, setOf, World } from "./world.ts";

const NONE = { planned: 0, verified: 0, unchanged: 0, conflict: 0, failed: 0, blocked: 0, skipped: 0 };

describeOnBoth("undoing a plan on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  async function applied(...all: Record<string, string>[]): Promise<{ plan_id: string; arns: string[] }> {
    const arns = all.map((tags) => world.create(tags));
    await world.scan();
    const plan_id = await world.planned();
    await world.apply(plan_id);
    world.later(1);
    return { plan_id, arns };
  }

  async function causes(arn: string): Promise<Record<string, string>> {
    const rows = await world.database.select().from(findings).where(eq(findings.arn, arn));
    return Object.fromEntries(rows.map((row) => [row.rule_id, `${row.state} ${row.opened_cause}`]));
  }

  test("puts back what was written, removed and renamed, keeps other tags, and the findings are open again as undone", async () => {
    const before = [
      { CostCenter: "CC-0001", Keep: "me" },
      { Environment: "prod", "cost-center": "CC-1234" },
      { ...GOOD, Environment: "Production" },
      { ...GOOD, "temp:x": "1" },
    ];
    const { plan_id, arns } = await applied(...before);
    const undo = await plannedUndo(world, plan_id);

    expect(await world.apply(undo)).toMatchObject({ outcome: "applied", counts: { ...NONE, planned: 4, verified: 4 } });

    expect(arns.map((arn) => world.tags(arn))).toEqual(before);
    expect(await causes(arns[0]!)).toEqual({ environment: "open undone" });
    expect(await causes(arns[3]!)).toEqual({ "no-leftovers": "open undone" });
    const { plan, actions } = (await loadPlan(world.database, undo))!;
    expect(plan).toMatchObject({ kind: "undo", undoes_plan_id: plan_id, state: "applied" });
    expect(actions.map(({ undoes_position }) => undoes_position)).toEqual([0, 1, 2, 3]);
    expect(actions.find(({ arn }) => arn === arns[1])?.origins).toEqual({
      CostCenter: { rules: ["p/cost-center"], from: "it was not there before" },
      "cost-center": { rules: ["p/cost-center"], from: "what was there before" },
    });
  });

  test("an undo is a plan: nothing is written before it is approved, and its approval is of its hash", async () => {
    const { plan_id } = await applied({ CostCenter: "CC-0001" });
    const undo = await plannedUndo(world, plan_id);
    await world.database.update(plans).set({ state: "proposed" }).where(eq(plans.id, undo));
    expect(await world.apply(undo)).toEqual({ outcome: "refused", reason: "not_approved" });
    await world.database.update(plans).set({ state: "approved" }).where(eq(plans.id, undo));
    await world.database.update(plan_actions).set({ undoes_position: 7 }).where(eq(plan_actions.plan_id, undo));
    expect(await world.apply(undo)).toEqual({ outcome: "refused", reason: "hash_differs" });
  });

  test("undone once more, the repair is back and its findings are repaired", async () => {
    const { plan_id, arns } = await applied({ CostCenter: "CC-0001" });
    const undo = await plannedUndo(world, plan_id);
    await world.apply(undo);
    world.later(1);
    expect(await world.apply(await plannedUndo(world, undo))).toMatchObject({
      counts: { ...NONE, planned: 1, verified: 1 },
    });
    expect(world.tags(arns[0]!)).toEqual({ CostCenter: "CC-0001", Environment: "dev" });
    expect(await world.findingsOf(arns[0]!)).toEqual({ environment: "fixed_by_remediation" });
  });

  test("only the resources that are asked for", async () => {
    const { plan_id, arns } = await applied({ CostCenter: "CC-0001" }, { CostCenter: "CC-0002" });
    await world.apply(await plannedUndo(world, plan_id, [arns[1]!]));
    expect(world.tags(arns[0]!)).toHaveProperty("Environment", "dev");
    expect(world.tags(arns[1]!)).toEqual({ CostCenter: "CC-0002" });
  });

  test("a key that someone changed since stays, the other keys of the resource go back", async () => {
    const { plan_id, arns } = await applied({ "cost-center": "CC-1234", "temp:x": "1" });
    const [arn = ""] = arns;
    world.sandbox.setTags(arn, { CostCenter: "CC-1234", Environment: "staging" });
    await world.scan();
    const undo = await plannedUndo(world, plan_id);
    expect((await world.action(undo, arn)).left_out).toEqual({ Environment: "changed since" });
    await world.apply(undo);
    expect(world.tags(arn)).toEqual({ "cost-center": "CC-1234", "temp:x": "1", Environment: "staging" });
  });

  test("an action with nothing left is skipped, and says which keys were changed since", async () => {
    const { plan_id, arns } = await applied({ CostCenter: "CC-0001" }, { CostCenter: "CC-0002" });
    world.sandbox.setTags(arns[0]!, { CostCenter: "CC-0001", Environment: "staging" });
    await world.scan();
    const undo = await plannedUndo(world, plan_id);
    expect(await world.action(undo, arns[0]!)).toMatchObject({
      state: "skipped",
      note: "nothing is left to undo: Environment: changed since",
      changes: [],
    });
    expect(await world.apply(undo)).toMatchObject({ counts: { ...NONE, planned: 2, verified: 1, skipped: 1 } });
    expect(world.tags(arns[0]!)).toHaveProperty("Environment", "staging");
  });

  test("the new key of a rename stays where someone has set the old one anew: its value would be lost", async () => {
    const { plan_id, arns } = await applied({ Environment: "prod", "cost-center": "CC-1234" });
    world.sandbox.setTags(arns[0]!, { Environment: "prod", CostCenter: "CC-1234", "cost-center": "CC-9999" });
    await world.scan();
    const { actions, skipped } = await undoDraft(world, plan_id);
    expect(actions).toEqual([]);
    expect(skipped[0]?.left_out).toEqual({
      "cost-center": "changed since",
      CostCenter: "its value came from cost-center, which was changed since",
    });
  });

  test("what is changed after the undo was planned is a conflict, and stays", async () => {
    const { plan_id, arns } = await applied({ CostCenter: "CC-0001" });
    const undo = await plannedUndo(world, plan_id);
    world.sandbox.setTags(arns[0]!, { CostCenter: "CC-0001", Environment: "staging" });
    const { writes } = world;
    expect(await world.apply(undo)).toMatchObject({ counts: { ...NONE, planned: 1, conflict: 1 } });
    expect(world.tags(arns[0]!)).toHaveProperty("Environment", "staging");
    expect(world.writes).toBe(writes);
  });

  test("what someone has put back already is unchanged", async () => {
    const { plan_id, arns } = await applied({ CostCenter: "CC-0001" });
    const undo = await plannedUndo(world, plan_id);
    world.sandbox.setTags(arns[0]!, { CostCenter: "CC-0001" });
    expect(await world.apply(undo)).toMatchObject({ counts: { ...NONE, planned: 1, unchanged: 1 } });
  });

  test("what was written and could not be read back is undone; what was refused has no place in an undo", async () => {
    const lost = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    let written = false;
    await world.apply(plan_id, {
      onStep: (step) => {
        if (step !== "written") return;
        written = true;
        world.sandbox.setFaults([{ kind: "access_denied", operation: "ListTagsForResource" }]);
      },
    });
    expect(written).toBe(true);
    world.sandbox.setFaults([]);
    expect(await world.action(plan_id, lost)).toMatchObject({ state: "failed", tags_after: null });
    world.reconnect();
    await world.apply(await plannedUndo(world, plan_id));
    expect(world.tags(lost)).toEqual({ CostCenter: "CC-0001" });

    const refused = world.create({ CostCenter: "CC-0002" });
    await world.scan();
    const other = await world.planned();
    world.sandbox.setFaults([{ kind: "access_denied", operation: "TagResource" }]);
    await world.apply(other);
    expect(await world.action(other, refused)).toMatchObject({ state: "failed" });
    expect(await undoDraft(world, other, [refused])).toEqual({ actions: [], blocked: [], skipped: [] });
  });

  test("a write that showed too late to be verified is undone once a scan has seen it", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    // Reading back, the service still answers as it was before.
    const onStep = (step: string) => {
      if (step === "written") world.sandbox.setTags(arn, { CostCenter: "CC-0001" });
    };
    expect(await world.apply(plan_id, { onStep })).toMatchObject({ counts: { ...NONE, planned: 1, failed: 1 } });
    expect((await undoDraft(world, plan_id)).actions).toEqual([]);
    world.sandbox.setTags(arn, { CostCenter: "CC-0001", Environment: "dev" });
    await world.scan();
    expect(await world.apply(await plannedUndo(world, plan_id))).toMatchObject({ counts: { verified: 1 } });
    expect(world.tags(arn)).toEqual({ CostCenter: "CC-0001" });
  });

  test("a plan that died between the two calls of a rename can be undone as far as it came", async () => {
    const arn = world.create({ Environment: "prod", "cost-center": "CC-1234" });
    await world.scan();
    const plan_id = await world.planned();
    const crash = new Error("crash");
    await expect(
      world.apply(plan_id, {
        onStep: (step) => {
          if (step === "between") throw crash;
        },
      }),
    ).rejects.toBe(crash);
    expect(world.tags(arn)).toEqual({ Environment: "prod", "cost-center": "CC-1234", CostCenter: "CC-1234" });
    expect(await world.apply(await plannedUndo(world, plan_id))).toMatchObject({ counts: { planned: 1, verified: 1 } });
    expect(world.tags(arn)).toEqual({ Environment: "prod", "cost-center": "CC-1234" });
  });

  test("what a stack manages by now is left alone", async () => {
    const { plan_id, arns } = await applied({ CostCenter: "CC-0001" }, { CostCenter: "CC-0002" });
    const undo = await plannedUndo(world, plan_id);
    await world.database.update(resources).set({ stack: "shop" }).where(eq(resources.arn, arns[0]!));
    expect((await undoDraft(world, plan_id)).blocked.map(({ arn }) => arn)).toEqual([arns[0]]);
    expect(await world.apply(undo)).toMatchObject({ counts: { ...NONE, planned: 2, verified: 1, blocked: 1 } });
    expect(world.tags(arns[0]!)).toHaveProperty("Environment", "dev");
  });

  test.each([
    ["renamed", (text: string) => text.replace("id: p\n", "id: q\nformerly: [p]\n")],
    ["removed, where another one says so", (text: string) => text.replace("id: p\n", "id: other\n")],
    ["there as before", (text: string) => text],
  ])("what a policy calls managed elsewhere is left alone, also by a policy that was %s", async (_, edit) => {
    const { plan_id, arns } = await applied(
      { CostCenter: "CC-0001", ManagedBy: "terraform" },
      { CostCenter: "CC-0002" },
    );
    const undo = await plannedUndo(world, plan_id);
    await world.activate(setOf(edit(POLICY.replace("id: p\n", "id: p\nmanaged: tags.ManagedBy == 'terraform'\n"))));
    const { blocked, actions } = await undoDraft(world, plan_id);
    expect(blocked).toMatchObject([{ arn: arns[0], note: expect.stringContaining("managed elsewhere") as string }]);
    expect(actions.map(({ arn }) => arn)).toEqual([arns[1]]);
    expect(await world.apply(undo)).toMatchObject({ counts: { ...NONE, planned: 2, verified: 1, blocked: 1 } });
    expect(world.tags(arns[0]!)).toHaveProperty("Environment", "dev");
  });

  test("a policy about other resources does not keep an undo from what it calls managed elsewhere", async () => {
    const { plan_id } = await applied({ CostCenter: "CC-0001", ManagedBy: "terraform" });
    const other = POLICY.replace(
      "id: p\n",
      "id: other\nmanaged: tags.ManagedBy == 'terraform'\napplies_to: {types: [campaign]}\n",
    );
    await world.activate(setOf(POLICY, other));
    expect((await undoDraft(world, plan_id)).blocked).toEqual([]);
  });

  test("where other tags have taken the room of a removed key it is blocked", async () => {
    const { plan_id, arns } = await applied({ ...GOOD, ...filler(47), "temp:x": "1" });
    world.sandbox.setTags(arns[0]!, { ...GOOD, ...filler(48) });
    await world.scan();
    expect((await undoDraft(world, plan_id)).blocked).toMatchObject([
      { arn: arns[0], note: "no room: it would have 51 tags, and AWS allows 50" },
    ]);
  });

  test("a resource that is gone is skipped", async () => {
    const { plan_id, arns } = await applied({ CostCenter: "CC-0001" });
    const undo = await plannedUndo(world, plan_id);
    world.sandbox.deleteResource(arns[0]!);
    expect(await world.apply(undo)).toMatchObject({ counts: { ...NONE, planned: 1, skipped: 1 } });
  });

  test("what undoes a protected change is protected, also where the rule came to be so since", async () => {
    const { plan_id } = await applied({ CostCenter: "CC-0001" });
    expect((await undoDraft(world, plan_id)).actions).toMatchObject([{ protected: false }]);
    await world.activate(setOf(POLICY.replace("required: true", "required: true\n    protected: true")));
    expect((await undoDraft(world, plan_id)).actions).toMatchObject([{ protected: true }]);
  });
});
