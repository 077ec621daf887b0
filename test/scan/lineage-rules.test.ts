import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { findings } from "../../src/findings/schema.ts";
import type { Aws } from "../../src/inventory/aws/session.ts";
import { accounts, resources, scans } from "../../src/inventory/schema.ts";
import { compilePolicies, type PolicySet } from "../../src/policy/load.ts";
import { wantedForRepair } from "../../src/policy/needs.ts";
import { applyPlan } from "../../src/remediation/aws/apply.ts";
import { loadPlannable } from "../../src/remediation/load.ts";
import { planChanges } from "../../src/remediation/plan.ts";
import { approvePlan, createPlan, loadPlan } from "../../src/remediation/store.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { snapshot } from "../findings/world.ts";
import { ACTOR, BUDGETS, FAST } from "../remediation/world-settings.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { awsOf, scanAll } from "../support/scan.ts";

const setOf = (rules: string, head = ""): PolicySet =>
  compilePolicies([{ path: "p.yaml", text: `version: 1\nid: p\n${head}rules:\n${rules}` }]);

const AGREE = setOf("  - {id: team, key: Team, agrees_with: parent}\n");
const INHERIT = setOf(
  "  - {id: team, key: Team, required: true, fix: {missing: {inherit: true, otherwise: nobody}}}\n",
);
const UNDER_SHOP = setOf(
  "  - {id: shop, key: Shop, required: true}\n",
  `applies_to: {types: [campaign, solution-version], where: "resource.lineage.dataset_group.tags.Team == 'shop'"}\n`,
);

describeOnBoth("rules that look at what stands above, on %s", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  let sandbox: Sandbox;
  let aws: Aws;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(async () => {
    await emptyTables(database);
    sandbox = await startSandbox({ accounts: 0, regions: ["us-east-1"], resources: 150 });
    aws = awsOf(sandbox);
    // Each dataset group and each fifth of the others has a team; teams differ.
    for (const [index, { arn, type }] of [...sandbox.resources()].entries()) {
      if (type === "dataset-group") sandbox.setTags(arn, { Team: index % 2 === 0 ? "shop" : "video" });
      else sandbox.setTags(arn, index % 5 === 0 ? { Team: "shop" } : {});
    }
    sandbox.calls.reset();
  });
  afterEach(async () => {
    aws.close();
    await sandbox.close();
  });

  const scan = (set: PolicySet, options: Parameters<typeof scanAll>[2] = {}) =>
    scanAll(database, sandbox, { aws, set, ...options });
  const open = async () =>
    (await database.select({ arn: findings.arn }).from(findings).where(eq(findings.state, "open")))
      .map(({ arn }) => arn)
      .sort();
  const warningsOf = async (id: string) =>
    (await database.select().from(scans).where(eq(scans.id, id)))[0]!.warnings.join("\n");

  /** The resources above one, nearest first, by the sandbox's own state. */
  function above(arn: string): { arn: string; team: string | undefined }[] {
    const all = new Map([...sandbox.resources()].map((one) => [one.arn, one]));
    const found: { arn: string; team: string | undefined }[] = [];
    for (let parent = all.get(arn)?.parent; parent; parent = all.get(parent)?.parent ?? null) {
      parent = parent.replace("/$LATEST", "");
      found.push({ arn: parent, team: new Map(all.get(parent)!.tags).get("Team") });
    }
    return found;
  }
  const teamAbove = (arn: string) => above(arn).find(({ team }) => team !== undefined)?.team;
  const contradicting = () =>
    [...sandbox.resources()]
      .filter(({ arn, tags }) => {
        const own = new Map(tags).get("Team");
        const other = teamAbove(arn);
        return own !== undefined && other !== undefined && own !== other;
      })
      .map(({ arn }) => arn)
      .sort();

  test("the first scan finds every child that contradicts a resource above it, and the second writes nothing", async () => {
    expect((await scan(AGREE)).state).toBe("succeeded");
    expect(await open()).toEqual(contradicting());
    expect(contradicting().length).toBeGreaterThan(5);
    const unknown = await database.select().from(resources).where(eq(resources.standing, "unknown"));
    expect(unknown).toEqual([]);
    const before = await snapshot(database);
    sandbox.calls.reset();
    expect((await scan(AGREE)).state).toBe("succeeded");
    expect(await snapshot(database)).toBe(before);
    expect(Object.keys(sandbox.calls.by_operation).filter((name) => name.startsWith("Describe"))).toEqual([]);
  });

  test("a change above is seen below in the same scan", async () => {
    await scan(AGREE);
    const [child] = contradicting();
    const decisive = above(child!).find(({ team }) => team !== undefined)!;
    sandbox.setTags(decisive.arn, { Team: "shop" });
    await scan(AGREE, { confirm_all: true });
    expect(await open()).toEqual(contradicting());
    expect(await open()).not.toContain(child);
  });

  test("a policy applies by what stands above", async () => {
    await scan(UNDER_SHOP);
    const expected = [...sandbox.resources()]
      .filter(({ arn, type }) => {
        const group = above(arn).at(-1);
        return (type === "campaign" || type === "solution-version") && group?.team === "shop";
      })
      .map(({ arn }) => arn)
      .sort();
    expect(expected.length).toBeGreaterThan(3);
    expect(await open()).toEqual(expected);
  });

  test("a parent that cannot be read leaves its children unknown, closes nothing, and is a warning that names the permission", async () => {
    await scan(AGREE);
    const campaigns = [...sandbox.resources({ type: "campaign" })].map(({ arn }) => arn);
    const before = await open();
    await database.execute("delete from parents");
    sandbox.setFaults([{ kind: "access_denied", operation: "DescribeCampaign" }]);
    const { scan: second, state } = await scan(AGREE);
    expect(state).toBe("succeeded");
    expect(await open()).toEqual(before);
    const rows = await database.select().from(resources).where(eq(resources.type, "campaign"));
    const tagged = rows.filter(({ tags }) => tags !== null && "Team" in tags);
    expect(tagged.length).toBeGreaterThan(0);
    for (const { standing, unknown_reason } of tagged) {
      expect(standing).toBe("unknown");
      expect(unknown_reason).toMatch(/^p\/team: the parent of .* was not read/);
    }
    expect(rows).toHaveLength(campaigns.length);
    expect(await warningsOf(second.id)).toContain("personalize:DescribeCampaign");
    sandbox.setFaults([]);
    await scan(AGREE);
    expect(await database.select().from(resources).where(eq(resources.standing, "unknown"))).toEqual([]);
    expect(await open()).toEqual(contradicting());
  });

  test("a value is inherited from the nearest resource above that has one, and only what needs one is asked about", async () => {
    await scan(INHERIT);
    const missing = [...sandbox.resources()].filter(({ tags }) => !new Map(tags).has("Team"));
    const plan = await planned();
    // What a stack manages is blocked, here as everywhere.
    const managed = missing.filter(({ tags }) => [...tags].some(([key]) => key.startsWith("aws:cloudformation:")));
    const writable = missing.filter((one) => !managed.includes(one));
    expect(plan.actions.map(({ arn }) => arn)).toEqual(writable.map(({ arn }) => arn).sort());
    expect(plan.actions.length).toBeGreaterThan(20);
    for (const { arn, changes } of plan.actions)
      expect(changes).toEqual([{ key: "Team", before: null, after: teamAbove(arn) ?? "nobody" }]);
    const described = sandbox.calls.by_operation["DescribeCampaign"] ?? 0;
    expect(described).toBe(missing.filter(({ type }) => type === "campaign").length);

    const result = await applyPlan(applying(), plan.id, ACTOR);
    expect(result).toMatchObject({
      outcome: "applied",
      counts: { verified: plan.actions.length, blocked: managed.length, conflict: 0, failed: 0 },
    });
    await scan(INHERIT, { confirm_all: true });
    expect(await open()).toEqual(managed.map(({ arn }) => arn).sort());
  });

  test("a source that changed since the plan is a conflict, one that cannot be read blocks, and neither is written", async () => {
    await scan(INHERIT);
    const plan = await planned(["filter", "recommender"]);
    const [first, second] = plan.actions.filter(({ reads_from }) => reads_from.at(-1)?.value !== null);
    const [source, other] = [first!, second!].map(({ reads_from }) => reads_from.at(-1)!.arn);
    sandbox.setTags(source!, { Team: "moved" });
    const ofSource = plan.actions.filter(({ reads_from }) => reads_from.some(({ arn }) => arn === source));
    const result = await applyPlan(applying(), plan.id, ACTOR);
    const { actions } = (await loadPlan(database, plan.id))!;
    for (const { arn } of ofSource) {
      const action = actions.find((one) => one.arn === arn)!;
      expect(action).toMatchObject({ state: "conflict" });
      expect(action.note).toContain("on which the decision rests, was changed since the plan");
      expect(new Map([...sandbox.resources()].find((one) => one.arn === arn)!.tags).has("Team")).toBe(false);
    }
    expect(result).toMatchObject({ counts: { conflict: ofSource.length } });
    expect(other).toBeDefined();
  });

  test("a source that is gone blocks", async () => {
    await scan(INHERIT);
    const plan = await planned(["event-tracker"]);
    const { actions } = (await loadPlan(database, plan.id))!;
    const source = actions[0]!.reads_from.at(-1)!.arn;
    sandbox.deleteResource(source);
    await applyPlan(applying(), plan.id, ACTOR);
    const action = (await loadPlan(database, plan.id))!.actions.find(({ reads_from }) =>
      reads_from.some(({ arn }) => arn === source),
    )!;
    expect(action).toMatchObject({ state: "blocked", note: `${source}, on which the decision rests, is gone` });
  });

  test("a source that is gone ends what a dead run had begun, where no value of ours is off the resource", async () => {
    await scan(INHERIT);
    const plan = await planned(["event-tracker"]);
    const died = applyPlan({ ...applying(), onStep: dieAtWriting }, plan.id, ACTOR);
    await expect(died).rejects.toThrow("died");
    const { actions } = (await loadPlan(database, plan.id))!;
    const begun = actions.find(({ state }) => state === "intended")!;
    const source = begun.reads_from.at(-1)!.arn;
    sandbox.deleteResource(source);
    await applyPlan(applying(), plan.id, ACTOR);
    expect((await loadPlan(database, plan.id))!.actions.find(({ arn }) => arn === begun.arn)).toMatchObject({
      state: "blocked",
      note: `${source}, on which the decision rests, is gone`,
    });
  });

  test("the account's name and tags come from Organizations, or from the configuration; denied, the rule is unknown", async () => {
    const set = setOf(
      `  - {id: a, assert: "account.tags.environment == 'prod' || account.name == 'mine'"}\n`,
      "applies_to: {types: [dataset-group]}\n",
    );
    const { scan: first } = await scan(set);
    expect(await database.select().from(accounts)).toMatchObject([
      { account_id: sandbox.organization.management_account_id },
    ]);
    expect(await warningsOf(first.id)).toBe("");
    const verdicts = async () =>
      (await database.select().from(resources).where(eq(resources.type, "dataset-group"))).map(
        ({ standing }) => standing,
      );
    expect(new Set(await verdicts())).toEqual(new Set(["judged"]));

    await database.delete(accounts);
    sandbox.setFaults([{ kind: "access_denied", operation: "DescribeAccount" }]);
    const { scan: denied } = await scan(set);
    expect(new Set(await verdicts())).toEqual(new Set(["unknown"]));
    expect(await warningsOf(denied.id)).toMatch(/organizations:DescribeAccount/);

    const given = { [sandbox.organization.management_account_id]: { name: "mine", tags: {} } };
    await scan(set, { accounts: given });
    expect(new Set(await verdicts())).toEqual(new Set(["judged"]));
    expect(await open()).toEqual([]);
  });

  const applying = () => ({ database, aws, set: INHERIT, now: () => new Date(), budgets: BUDGETS, timing: FAST });
  async function planned(types?: NonNullable<Parameters<typeof loadPlannable>[1]["types"]>) {
    const now = new Date();
    const pages = loadPlannable(database, types ? { types } : {}, wantedForRepair(INHERIT.needs));
    const draft = await planChanges(INHERIT, pages, { mode: "plan", now });
    const row = (await createPlan(database, draft, { mode: "plan", policy_set_id: INHERIT.id, actor: ACTOR, now }))!;
    await approvePlan(database, row.id, { hash: row.hash, actor: ACTOR, now });
    const actions = draft.actions.toSorted((a, b) => (a.arn < b.arn ? -1 : 1));
    return { id: row.id, actions };
  }
});

function dieAtWriting(step: string): void {
  if (step === "writing") throw new Error("died");
}
