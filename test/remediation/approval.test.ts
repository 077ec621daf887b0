import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { apply } from "../../src/cli/apply.ts";
import { setOption } from "../../src/cli/given-values.ts";
import { plan } from "../../src/cli/plan.ts";
import { approveOne, listThem, rejectOne, showOne } from "../../src/cli/plans.ts";
import { autoRemediate } from "../../src/remediation/aws/auto.ts";
import { audit_log } from "../../src/audit-log/schema.ts";
import { approvePlan, loadPlan } from "../../src/remediation/store.ts";
import { describeOnBoth } from "../support/database.ts";
import { ACTOR, ANYONE, GOOD, POLICY, setOf, World } from "./world.ts";

const OTHER = "arn:aws:iam::111122223333:user/reviewer";
const ANOTHER = { by: "another", hours: 24 } as const;

describeOnBoth("approval on %s", (kind) => {
  let world: World;
  let printed = "";
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset();
    printed = "";
  });

  const deps = (actor = ACTOR, approval: typeof ANYONE | typeof ANOTHER = ANYONE) => ({
    ...world.deps(),
    now: world.time,
    actor,
    approval,
    color: false,
    out: (text: string) => void (printed += text),
  });
  const applied = (id: string, ...who: Parameters<typeof deps>) =>
    apply({ ...deps(...who), now: world.now, confirm: null }, id, {});
  async function planned(tags: Record<string, string>[] = [{ CostCenter: "CC-0001" }]) {
    const arns = tags.map((one) => world.create(one));
    await world.scan();
    printed = "";
    await plan({ ...deps(), life_ms: 24 * 3_600_000 }, {});
    const id = /tagwarden apply (\S+)/.exec(printed)?.[1] ?? "";
    printed = "";
    return { id, arns };
  }
  const stateOf = async (id: string) => (await loadPlan(world.database, id))?.plan;

  test("by another: whoever asked cannot approve, neither by plans approve nor by apply; someone else can by both", async () => {
    const { id, arns } = await planned();
    const refusal = `has to be approved by another person`;
    await expect(approveOne(deps(ACTOR, ANOTHER), id, {})).rejects.toThrow(refusal);
    await expect(applied(id, ACTOR, ANOTHER)).rejects.toThrow(`tagwarden plans approve ${id}`);
    expect(await stateOf(id)).toMatchObject({ state: "proposed", approved_by: null });
    await approveOne(deps(OTHER, ANOTHER), id, { note: "GOV-12" });
    expect(await stateOf(id)).toMatchObject({ state: "approved", approved_by: OTHER, approved_note: "GOV-12" });
    expect(await applied(id, ACTOR, ANOTHER)).toBe(0);
    expect(world.tags(arns[0]!)).toMatchObject({ Environment: "dev" });

    const next = await planned();
    expect(await applied(next.id, OTHER, ANOTHER)).toBe(0);
  });

  test("by another: nobody becomes another person by capitals, or by coming without AWS credentials", async () => {
    const { id } = await planned();
    await expect(approveOne(deps(ACTOR.toUpperCase(), ANOTHER), id, {})).rejects.toThrow("by another person");
    const decision = { hash: (await stateOf(id))!.hash, actor: ` ${ACTOR.toUpperCase()}`, now: world.time };
    expect(await approvePlan(world.database, id, { ...decision, by: "another" })).toEqual({ outcome: "same_person" });
    await expect(approveOne(deps("ana@laptop", ANOTHER), id, {})).rejects.toThrow("without AWS credentials that work");
    await expect(applied(id, "ana@laptop", ANOTHER)).rejects.toThrow("without AWS credentials that work");
    expect(await stateOf(id)).toMatchObject({ state: "proposed" });
    await approveOne(deps("ana@laptop", ANYONE), id, {});
  });

  test("the same changes proposed by two people are two plans, each in its own name", async () => {
    const { id } = await planned();
    await plan({ ...deps(OTHER), life_ms: 24 * 3_600_000 }, {});
    const theirs = /tagwarden apply (\S+)/.exec(printed)?.[1] ?? "";
    expect(theirs).not.toBe(id);
    expect(await stateOf(theirs)).toMatchObject({ created_by: OTHER });
    await expect(approveOne(deps(OTHER, ANOTHER), theirs, {})).rejects.toThrow("by another person");
  });

  test("an approval lasts as long as configured, and shows until when", async () => {
    const { id } = await planned();
    await approveOne(deps(OTHER, ANOTHER), id, {});
    await showOne(deps(), id, {});
    const until = new Date(world.time.getTime() + 24 * 3_600_000).toISOString();
    expect(printed).toContain(`Approved until ${until}.`);
    expect(printed).toContain(`Can be applied until ${until}`);
    world.later(25);
    await expect(applied(id)).rejects.toThrow("has expired");
    await listThem(deps(), {});
    expect(printed).toMatch(/expired .*Z/);
  });

  test("a part is approved: what is left out is skipped, says by whom, and is not written", async () => {
    const { id, arns } = await planned([{}, { CostCenter: "CC-0001" }, { Note: "n" }]);
    const before = await stateOf(id);
    await approveOne(deps(OTHER), id, { without: [arns[1]!] });
    expect(printed).toContain("1 of 3 resources are left out.");
    expect(await world.action(id, arns[1]!)).toMatchObject({
      state: "skipped",
      note: `left out of the approval by ${OTHER}`,
    });
    expect((await stateOf(id))?.hash).toBe(before?.hash);
    const [entry] = await world.database.select().from(audit_log).where(eq(audit_log.action, "plan.approved"));
    expect(entry?.detail).toMatchObject({ left_out: [(await world.action(id, arns[1]!)).position] });
    expect(await applied(id)).toBe(0);
    expect(world.tags(arns[1]!)).toEqual({ CostCenter: "CC-0001" });
    expect(world.tags(arns[0]!)).toEqual({ Environment: "dev" });
    expect(printed).toMatch(/2 verified(.*\n)+ +1 skipped/);
  });

  test("only what is named is approved; a name that is not in the plan, or a choice that leaves nothing, is refused", async () => {
    const { id, arns } = await planned([{}, {}]);
    await expect(approveOne(deps(), id, { only: ["arn:aws:x"] })).rejects.toThrow("arn:aws:x: no resource that waits");
    await expect(approveOne(deps(), id, { without: ["arn:*"] })).rejects.toThrow("Nothing would be left");
    expect(await stateOf(id)).toMatchObject({ state: "proposed" });
    await approveOne(deps(), id, { only: [arns[0]!] });
    expect(await world.action(id, arns[1]!)).toMatchObject({ state: "skipped" });
    await expect(approveOne(deps(), id, { only: [arns[0]!] })).rejects.toThrow("approved as a whole already");
    expect(await applied(id)).toBe(0);
    expect(world.writes).toBe(1);
  });

  test("a rejection is kept with who and why, and nothing is applied after it", async () => {
    const { id } = await planned();
    await expect(rejectOne(deps(), id, { note: "x".repeat(501) })).rejects.toThrow("--note");
    await rejectOne(deps(OTHER), id, { note: "the team is moving" });
    expect(await stateOf(id)).toMatchObject({ state: "rejected", rejected_by: OTHER, rejected_at: world.time });
    await showOne(deps(), id, {});
    expect(printed).toContain(`Rejected by ${OTHER} at ${world.time.toISOString()}: the team is moving`);
    await expect(applied(id)).rejects.toThrow("was rejected");
    expect(world.writes).toBe(0);
  });

  test("auto approves itself where nothing is protected, also when people need another one", async () => {
    await world.reset(setOf(POLICY.replace("remediation: plan", "remediation: auto")));
    const arn = world.create({ CostCenter: "CC-0001" });
    await autoRemediate(world.deps(), await world.scan());
    expect(world.tags(arn)).toMatchObject({ Environment: "dev" });
  });

  test("what a protected rule is about waits for a person, whichever rule asks for the change and whoever gives the value", async () => {
    const auto = POLICY.replace("remediation: plan", "remediation: auto");
    await world.reset(
      setOf(
        auto,
        "version: 1\nid: q\nremediation: auto\nrules:\n  - {id: stage, key: Environment, values: [dev, prod], protected: true}\n  - {id: owner, key: Owner, required: true, protected: true}",
      ),
    );
    const arn = world.create({ Note: "n" });
    const counts = await autoRemediate(world.deps(), await world.scan());
    expect(counts.planned).toBe(0);
    expect(world.tags(arn)).toEqual({ Note: "n" });
    for (const options of [{}, { set: setOption("Owner=a") }]) {
      await plan(deps(), options);
      const id = [...printed.matchAll(/tagwarden apply (\S+)/g)].at(-1)?.[1] ?? "";
      expect(await world.action(id, arn)).toMatchObject({ protected: true });
      expect(await stateOf(id)).toMatchObject({ state: "proposed" });
      expect(await world.apply(id)).toEqual({ outcome: "refused", reason: "not_approved" });
    }
    expect(world.tags(arn)).toEqual({ Note: "n" });
  });

  test("a resource beside a protected one is repaired by auto all the same", async () => {
    const auto = POLICY.replace("remediation: plan", "remediation: auto");
    await world.reset(
      setOf(
        auto,
        "version: 1\nid: q\napplies_to: {types: [filter]}\nrules: [{id: s, key: Environment, values: [dev, prod], protected: true}]",
      ),
    );
    const [free, held] = [world.create({ ...GOOD, Environment: "Production" }), world.create({}, { type: "filter" })];
    await autoRemediate(world.deps(), await world.scan());
    expect([world.tags(free), world.tags(held)]).toEqual([GOOD, {}]);
  });
});
