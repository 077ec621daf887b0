import { afterAll, beforeAll, expect, test } from "vitest";
import { describeOnBoth } from "../support/database.ts";
import { setOf, World } from "./world.ts";

const rule = (text: string, head = "") => setOf(`version: 1\nid: p\n${head}rules: [${text}]\n`);
const ownerFrom = (template: string) =>
  rule(`{id: owner, key: Owner, required: true, fix: {missing: {template: "${template}"}}}`, DATASETS);
const DATASETS = "applies_to: {types: [dataset]}\n";
const WRITES_A = "key: Owner, fix: {missing: {value: a}}";

/** Rules about a dataset that rest on what its group is tagged with, in every way in which a rule can. */
const ABOVE = [
  ["its value", ownerFrom("{resource.parent.tags.Team}@x")],
  ["its value, by type", ownerFrom("{resource.lineage.dataset_group.tags['Team']}@x")],
  ["whether a key is there", ownerFrom("{'Team' in resource.parent.tags ? resource.parent.tags.Team : 'nobody'}")],
  ["a loop over its keys", ownerFrom("{resource.parent.tags.exists(key, key.startsWith('Tea')) ? 'team' : 'nobody'}")],
  ["the rule's condition", rule(`{id: owner, required: "resource.parent.tags.Team == 'shop'", ${WRITES_A}}`, DATASETS)],
  [
    "the policy's condition",
    rule(
      `{id: owner, required: true, ${WRITES_A}}`,
      `applies_to: {types: [dataset], where: "resource.parent.tags.Team == 'shop'"}\n`,
    ),
  ],
  [
    "agreement with it",
    rule(
      `{id: team, key: Team, required: true, agrees_with: parent, fix: {missing: {template: "{'shop'}"}}}`,
      DATASETS,
    ),
  ],
] as const;

describeOnBoth("what a decision rests on, when a plan is applied, on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());

  /** A dataset in a group of a team, and an approved plan for it. */
  async function planned(set: (typeof ABOVE)[number][1]): Promise<{ group: string; arn: string; plan_id: string }> {
    await world.reset(set);
    const target = { account_id: world.account_id, region: "us-east-1" };
    const group = world.sandbox.createResource(target, "dataset-group", "shop", { Team: "shop" });
    const arn = world.sandbox.createResource(target, "dataset", "shop/ITEMS", {});
    await world.scan();
    return { group, arn, plan_id: await world.planned() };
  }

  test.each(ABOVE)("it is written while nothing above it changes: %s", async (_, set) => {
    const { group, arn, plan_id } = await planned(set);
    expect((await world.action(plan_id, arn)).reads_from).toEqual([{ arn: group, key: "Team", value: "shop" }]);
    world.sandbox.setTags(group, { Team: "shop", Note: "n" });
    expect(await world.apply(plan_id)).toMatchObject({ counts: { verified: 1 } });
    expect(Object.keys(world.tags(arn))).toHaveLength(1);
  });

  test.each(ABOVE)("it is a conflict where the parent's tag was changed since: %s", async (what, set) => {
    const { group, arn, plan_id } = await planned(set);
    world.sandbox.setTags(group, what.includes("loop") ? {} : { Team: "video" });
    expect(await world.apply(plan_id)).toMatchObject({ counts: { conflict: 1 } });
    expect((await world.action(plan_id, arn)).note).toBe(
      `Team of ${group}, on which the decision rests, was changed since the plan`,
    );
    expect(world.tags(arn)).toEqual({});
  });

  test.each(ABOVE)("it is blocked where the parent is gone: %s", async (_, set) => {
    const { group, arn, plan_id } = await planned(set);
    world.sandbox.deleteResource(group);
    expect(await world.apply(plan_id)).toMatchObject({ counts: { blocked: 1 } });
    expect((await world.action(plan_id, arn)).note).toBe(`${group}, on which the decision rests, is gone`);
    expect(world.tags(arn)).toEqual({});
  });

  test("it is blocked where a policy calls it managed elsewhere by what its parent has by now", async () => {
    const set = rule(
      `{id: owner, required: true, ${WRITES_A}}`,
      `${DATASETS}managed: "resource.parent.tags.ManagedBy == 'terraform'"\n`,
    );
    const { group, arn, plan_id } = await planned(set);
    world.sandbox.setTags(group, { Team: "shop", ManagedBy: "terraform" });
    expect(await world.apply(plan_id)).toMatchObject({ counts: { blocked: 1 } });
    expect(world.tags(arn)).toEqual({});
  });

  test("what looks at a parent, and at no tag of it, is written without reading it", async () => {
    const { arn, plan_id } = await planned(ownerFrom("{resource.parent.name}"));
    world.sandbox.calls.reset();
    expect(await world.apply(plan_id)).toMatchObject({ counts: { verified: 1 } });
    expect(world.tags(arn)).toEqual({ Owner: "shop" });
    expect(world.sandbox.calls.by_operation["ListTagsForResource"]).toBe(2);
  });

  test.each([
    ["a template", rule(`{id: owner, key: Owner, required: true, fix: {missing: {template: "{tags.Team}@x"}}}`)],
    ["a condition", rule(`{id: owner, required: "tags.Team == 'shop'", ${WRITES_A}}`)],
  ])("it is a conflict where another key of the resource was changed since, on which %s rests", async (_, set) => {
    await world.reset(set);
    const arn = world.create({ Team: "shop" });
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setTags(arn, { Team: "video" });
    expect(await world.apply(plan_id)).toMatchObject({ counts: { conflict: 1 } });
    expect((await world.action(plan_id, arn)).note).toBe(
      "Team, on which the decision rests, was changed since the plan",
    );
    expect(world.tags(arn)).toEqual({ Team: "video" });
  });
});
