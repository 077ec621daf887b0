import * as fc from "fast-check";
import { and, eq, inArray } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findings } from "../../src/findings/schema.ts";
import type { PolicySet } from "../../src/policy/load.ts";
import { isReserved } from "../../src/tags/limits.ts";
import { type ActionRow, loadPlan } from "../../src/remediation/store.ts";
import { describeOnBoth } from "../support/database.ts";
import { plannedUndo, undoDraft } from "./undoing.ts";
import { BUDGETS, filler, setOf, World } from "./world.ts";

type Tags = Record<string, string>;

const KEYS = ["Environment", "CostCenter", "cost-center", "costcenter", "temp:x", "temp:y", "Team", "Note", "aws:note"];
const VALUES = ["prod", "dev", "Production", "CC-0001", "CC-1234", "core", ""];

/** A few of the keys that rules speak of, some others, an `aws:` tag, and now and then nearly as many tags as AWS allows. */
const tags: fc.Arbitrary<Tags> = fc
  .record({
    some: fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), { maxKeys: 5 }),
    crowd: fc.constantFrom(0, 0, 0, 44, 46, 47),
  })
  .map(({ some, crowd }) => {
    const room = 50 - Object.keys(some).length;
    return { ...filler(Math.min(crowd, room)), ...some };
  });

const environment = fc
  .record({
    missing: fc.constantFrom("{value: dev}", "{value: prod}", "review"),
    invalid: fc.constantFrom("{map: {Production: prod}}", "review"),
    protect: fc.boolean(),
  })
  .map(
    ({ missing, invalid, protect }) => `
  - {id: environment, key: Environment, required: true, values: [dev, prod], protected: ${protect}, fix: {missing: ${missing}, invalid: ${invalid}}}`,
  );
const costCenter = fc.constantFrom("rename", "review").map(
  (variant) => `
  - {id: cost-center, key: CostCenter, aliases: [cost-center, costcenter], pattern: 'CC-\\d{4}', fix: {variant: ${variant}}}`,
);
const leftovers = fc.constantFrom("remove", "review").map(
  (forbidden) => `
  - {id: no-leftovers, forbidden: ['temp:*'], fix: {forbidden: ${forbidden}}}`,
);
const team = fc.constant(`
  - {id: team, key: Team, required: "tags.Environment == 'prod'", fix: {missing: {value: core}}}`);

const policy: fc.Arbitrary<PolicySet> = fc
  .tuple(environment, fc.option(costCenter), fc.option(leftovers), fc.option(team))
  .map((rules) => setOf(`version: 1\nid: p\ntitle: Tags\nrules:${rules.map((rule) => rule ?? "").join("")}\n`));

const worlds = fc.record({ set: policy, all: fc.array(tags, { minLength: 1, maxLength: 8 }) });
/** What other people do to one resource. */
const edits = fc.dictionary(
  fc.constantFrom(...KEYS.filter((key) => !isReserved(key))),
  fc.option(fc.constantFrom(...VALUES)),
  {
    maxKeys: 3,
  },
);

/** On a busy machine a law over so many worlds takes its time. */
const TIMEOUT = { timeout: 300_000 };

describeOnBoth("the laws of repair on %s", (kind) => {
  /** Each is a world of its own, with half a dozen transactions, for which the embedded database takes longer. */
  const RUNS = { numRuns: kind === "postgres" ? 30 : 8 };
  const budgets = { ...BUDGETS, actions_at_once: 8 };
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());

  /** A world with these resources, scanned, and a plan of all that may be repaired. A world in which nothing may is not looked at. */
  async function begin(set: PolicySet, all: readonly Tags[]): Promise<{ arns: string[]; plan_id: string }> {
    await world.reset(set);
    const arns = all.map((one) => world.create(one));
    await world.scan();
    fc.pre((await world.draft()).actions.length > 0);
    return { arns, plan_id: await world.planned() };
  }

  const actionsOf = async (plan_id: string) => (await loadPlan(world.database, plan_id))?.actions ?? [];

  /** Tags that no action of a plan is about. */
  function others(arn: string, actions: readonly ActionRow[]): Tags {
    const planned = new Set(
      actions.filter((action) => action.arn === arn).flatMap(({ changes }) => changes.map(({ key }) => key)),
    );
    return Object.fromEntries(Object.entries(world.tags(arn)).filter(([key]) => isReserved(key) || !planned.has(key)));
  }

  test("a repair and its undo leave every tag as it was, and undoing that undo repairs it again", TIMEOUT, async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ({ set, all }) => {
        const { arns, plan_id } = await begin(set, all);
        await world.apply(plan_id, { budgets });
        const repaired = arns.map((arn) => world.tags(arn));
        world.later(1);
        const undo = await plannedUndo(world, plan_id);
        await world.apply(undo, { budgets });
        expect(arns.map((arn) => world.tags(arn))).toEqual(all);
        world.later(1);
        await world.apply(await plannedUndo(world, undo), { budgets });
        expect(arns.map((arn) => world.tags(arn))).toEqual(repaired);
      }),
      RUNS,
    );
  });

  test("applied twice, a plan writes once; keys outside of it and aws: tags never change", TIMEOUT, async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ({ set, all }) => {
        const { arns, plan_id } = await begin(set, all);
        const actions = await actionsOf(plan_id);
        const outside = arns.map((arn) => others(arn, actions));
        await world.apply(plan_id, { budgets });
        expect(arns.map((arn) => others(arn, actions))).toEqual(outside);
        const { writes } = world;
        expect(await world.apply(plan_id, { budgets })).toMatchObject({ outcome: "nothing_to_do" });
        world.later(1);
        await world.apply(await plannedUndo(world, plan_id), { budgets });
        expect(arns.map((arn) => others(arn, actions))).toEqual(outside);
        expect(world.writes).toBeLessThanOrEqual(2 * writes);
      }),
      RUNS,
    );
  });

  test("what a plan meant to repair is open after it no longer, or its action says why", TIMEOUT, async () => {
    await fc.assert(
      fc.asyncProperty(worlds, edits, async ({ set, all }, edit) => {
        const { arns, plan_id } = await begin(set, all);
        change(arns[0] ?? "", edit);
        await world.apply(plan_id, { budgets });
        await world.scan();
        for (const { reasons, state, note } of await actionsOf(plan_id)) {
          const ids = reasons.map(({ finding_id }) => finding_id);
          const open = await world.database
            .select({ id: findings.id })
            .from(findings)
            .where(and(inArray(findings.id, ids), eq(findings.state, "open")));
          if (state === "verified" || state === "unchanged") expect(open).toEqual([]);
          else expect(note).toMatch(/\w+/);
        }
      }),
      RUNS,
    );
  });

  test(
    "whatever others changed after a repair, its undo puts back the rest, leaves theirs and names it",
    TIMEOUT,
    async () => {
      await fc.assert(
        fc.asyncProperty(worlds, edits, fc.boolean(), async ({ set, all }, edit, seen) => {
          const { arns, plan_id } = await begin(set, all);
          const [arn = ""] = arns;
          await world.apply(plan_id, { budgets });
          const left = world.tags(arn);
          world.later(1);
          if (seen) {
            change(arn, edit);
            await world.scan();
          }
          const draft = await undoDraft(world, plan_id);
          const undo = draft.actions.length > 0 ? await plannedUndo(world, plan_id) : null;
          if (!seen) change(arn, edit);
          const theirs = world.tags(arn);
          if (undo !== null) await world.apply(undo, { budgets });
          const done = (await actionsOf(plan_id)).find((action) => action.arn === arn && action.tags_before !== null);
          const undone = undo === null ? undefined : (await actionsOf(undo)).find((action) => action.arn === arn);
          const now = world.tags(arn);
          for (const key of new Set([...Object.keys(theirs), ...Object.keys(now), ...Object.keys(all[0] ?? {})])) {
            const ours = done?.changes.some((one) => one.key === key) && theirs[key] === left[key];
            const back = ours && undone?.state === "verified" && !Object.hasOwn(undone.left_out, key);
            expect([key, now[key]]).toEqual([key, back ? all[0]?.[key] : theirs[key]]);
          }
        }),
        RUNS,
      );
    },
  );

  function change(arn: string, edit: Record<string, string | null>): void {
    const now = new Map(Object.entries(world.tags(arn)));
    for (const [key, value] of Object.entries(edit)) {
      if (value === null) now.delete(key);
      else if (now.has(key) || now.size < 50) now.set(key, value);
    }
    world.sandbox.setTags(arn, Object.fromEntries(now));
  }
});
