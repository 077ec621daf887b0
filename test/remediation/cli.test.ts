import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/apply.ts";
import { plan } from "../../src/cli/plan.ts";
import { listThem, showOne } from "../../src/cli/plans.ts";
import { ACTOR, ANYONE, POLICY, setOf, World } from "./world.ts";

describe("on the command line", () => {
  let world: World;
  let printed = "";
  beforeAll(async () => {
    world = await World.open("pglite");
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset();
    printed = "";
  });

  const deps = () => ({
    ...world.deps(),
    now: world.time,
    actor: ACTOR,
    approval: ANYONE,
    color: false,
    out: (text: string) => void (printed += text),
  });
  const applyDeps = () => ({ ...deps(), now: world.now, confirm: null });
  const idOf = (text: string) => /tagwarden apply (\S+)/.exec(text)?.[1] ?? "";

  test("plan shows before and after, what needs a person, and the next command", async () => {
    world.create({ "cost-center": "CC-1234" });
    world.create({ Environment: "odd" });
    await world.scan();
    await plan(deps(), {});
    expect(printed).toMatch(/\+ CostCenter {3}\(absent\) → CC-1234/);
    expect(printed).toMatch(/- cost-center {2}CC-1234 {2}→ \(absent\)/);
    expect(printed).toContain("Needs a person:\n  p/environment: ");
    expect(printed).toMatch(
      /would change 1 resource\. Nothing is written yet\.\nNext: tagwarden apply [0-9a-f-]{36}\n$/,
    );
    expect(world.writes).toBe(0);
  });

  test("nothing to plan is said so, and stores no plan", async () => {
    await plan(deps(), {});
    expect(printed).toContain("Nothing to plan");
    printed = "";
    await listThem(deps(), {});
    expect(printed).toContain("No plan yet");
  });

  test("plan --json prints what was stored; filters keep to rule, account and type", async () => {
    world.create({ "temp:x": "1" });
    world.create({}, { type: "filter" });
    await world.scan();
    await plan(deps(), {
      json: true,
      rule: ["p/no-leftovers"],
      account: [world.account_id],
      type: ["dataset-group"],
    });
    const json = JSON.parse(printed) as { plan: { id: string; state: string }; actions: { changes: unknown }[] };
    expect(json.actions).toMatchObject([{ changes: [{ key: "temp:x", before: "1", after: null }] }]);
    expect(json.plan.state).toBe("proposed");
    await expect(plan(deps(), { rule: ["p/none"] })).rejects.toThrow(/no such rule. They have p\/environment/);
    await expect(plan(deps(), { account: ["1"] })).rejects.toThrow("twelve digits");
    await expect(plan(deps(), { type: ["campain"] })).rejects.toThrow("Did you mean campaign?");
  });

  test("apply writes, prints the result and exits 0; again it says that nothing is left", async () => {
    const arn = world.create({ "cost-center": "CC-1234" });
    await world.scan();
    await plan(deps(), {});
    const id = idOf(printed);
    printed = "";
    expect(await apply(applyDeps(), id, {})).toBe(0);
    expect(printed).toContain("1 verified");
    expect(world.tags(arn)).toEqual({ CostCenter: "CC-1234", Environment: "dev" });
    printed = "";
    expect(await apply(applyDeps(), id, {})).toBe(0);
    expect(printed).toContain("already applied: nothing was written now");
    printed = "";
    await showOne(deps(), id, {});
    expect(printed).toContain("applied, made by");
    expect(printed).toContain("verified");
  });

  test("apply exits 3 on a conflict and shows it; --json has the counts", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    await plan(deps(), {});
    const id = idOf(printed);
    world.sandbox.setTags(arn, { CostCenter: "CC-0001", Environment: "prod" });
    printed = "";
    expect(await apply(applyDeps(), id, {})).toBe(3);
    expect(printed).toContain("Environment was changed by someone else since the plan");
    printed = "";
    expect(await apply(applyDeps(), id, { json: true })).toBe(3);
    expect(JSON.parse(printed)).toMatchObject({
      plan_id: id,
      outcome: "nothing_to_do",
      counts: { planned: 1, conflict: 1 },
      remaining: 0,
      stopped: null,
    });
  });

  test("apply --queue approves and asks workers, writes nothing itself, and asking again changes nothing", async () => {
    world.create({ CostCenter: "CC-0001" });
    await world.scan();
    await plan(deps(), {});
    const id = idOf(printed);
    printed = "";
    expect(await apply(applyDeps(), id, { queue: true })).toBe(0);
    expect(printed).toContain(`A worker will apply it. To see how far it is: tagwarden plans show ${id}`);
    const asked = { apply_requested_at: world.time.toISOString(), apply_requested_by: ACTOR };
    printed = "";
    world.later(1);
    expect(await apply(applyDeps(), id, { queue: true, json: true })).toBe(0);
    expect(JSON.parse(printed)).toEqual({ plan_id: id, ...asked });
    printed = "";
    await showOne(deps(), id, { json: true });
    expect(JSON.parse(printed)).toMatchObject({ state: "approved", ...asked, remaining: 1 });
    expect(world.writes).toBe(0);
    expect(await apply(applyDeps(), id, {})).toBe(0);
    await expect(apply(applyDeps(), id, { queue: true })).rejects.toThrow("already applied");
  });

  test("a person who says no has written nothing", async () => {
    world.create({ CostCenter: "CC-0001" });
    await world.scan();
    await plan(deps(), {});
    const id = idOf(printed);
    expect(await apply({ ...applyDeps(), confirm: async () => false }, id, {})).toBe(1);
    expect(world.writes).toBe(0);
    await expect(apply(applyDeps(), "none", {})).rejects.toThrow('There is no plan "none"');
  });

  test("plans list says when there are more than it shows", async () => {
    for (let made = 0; made < 3; made++) {
      world.create({ CostCenter: "CC-0001" });
      await world.scan();
      await plan(deps(), {});
    }
    printed = "";
    await listThem(deps(), { limit: 2 });
    expect(printed).toMatch(/proposed(.*\n){2}More: tagwarden plans list --limit 4\n$/);
    printed = "";
    await listThem(deps(), { limit: 3 });
    expect(printed).not.toContain("More");
    printed = "";
    await listThem(deps(), { limit: 2, json: true });
    expect(JSON.parse(printed)).toHaveLength(2);
  });

  test("sensitive values are masked everywhere", async () => {
    const set = setOf(POLICY.replace("    key: CostCenter", "    sensitive: true\n    key: CostCenter"));
    await world.reset(set);
    world.create({ "cost-center": "CC-1234", Environment: "prod" });
    await world.scan();
    await plan(deps(), {});
    const id = idOf(printed);
    await plan(deps(), { json: true });
    await apply(applyDeps(), id, {});
    await showOne(deps(), id, {});
    await showOne(deps(), id, { json: true });
    expect(printed).not.toContain("CC-1234");
    expect(printed).toContain("***");
  });
});
