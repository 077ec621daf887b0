import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApplyStep } from "../../src/remediation/aws/apply-action.ts";
import { type ActionRow, loadPlan } from "../../src/remediation/store.ts";
import { BUDGETS, filler, World } from "./world.ts";

type Tags = Record<string, string>;

const KEYS = [
  "Environment",
  "CostCenter",
  "cost-center",
  "costcenter",
  "temp:a",
  "temp:b",
  "Note",
  "Owner",
  "__proto__",
];
const VALUES = ["prod", "dev", "Production", "CC-0001", "CC-0002", "", "x y"];
const COST_KEYS = ["CostCenter", "cost-center", "costcenter"];

/** What may be on a resource, to be read by the rules or not; now and then nearly as many tags as AWS allows. */
const resources = fc
  .record({
    some: fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), { maxKeys: 6 }),
    crowd: fc.constantFrom(0, 0, 46, 50, 50),
    renamed: fc.boolean(),
  })
  .map(({ some, crowd, renamed }) => {
    const own = { ...some, ...(renamed && { Environment: "prod", "cost-center": "CC-0001" }) };
    return { ...filler(Math.min(crowd, 50 - Object.keys(own).length)), ...own };
  });

const faults = fc.record({
  kind: fc.constantFrom("throttle", "server_error", "cut", "lost_reply", "access_denied"),
  operation: fc.constantFrom("TagResource", "UntagResource", "ListTagsForResource"),
  after: fc.nat(6),
  times: fc.integer({ min: 1, max: 4 }),
});

/** A step of some action: of the one that is the n-th to reach it. */
const moments = fc.record({
  step: fc.constantFrom<ApplyStep>("intended", "read", "writing", "between", "between", "written", "checked", "ended"),
  nth: fc.nat(2),
});

/** Somebody else writes one tag: of the resource whose action is at that step; or, null, of any resource after the first run. */
const edits = fc.record({
  at: fc.option(moments),
  of: fc.nat(5),
  key: fc.constantFrom("Environment", "CostCenter", "cost-center", "temp:a", ...KEYS),
  value: fc.option(fc.constantFrom("staging", "CC-7777", "theirs")),
});

const runs = fc.record({
  all: fc.array(resources, { minLength: 1, maxLength: 6 }),
  faults: fc.array(faults, { maxLength: 3 }),
  edits: fc.array(edits, { maxLength: 3 }),
  crash: fc.option(moments, { freq: 3 }),
  /** Whether a scan sees what the first run left. */
  scanned: fc.boolean(),
  actions_at_once: fc.constantFrom(1, 8),
});

/**
 * Between the reading of an action and its write nothing protects a key: AWS has no conditional write. What somebody writes there to
 * a planned key may be lost; anywhere else it must not be.
 */
const UNPROTECTED: ReadonlySet<ApplyStep> = new Set(["read", "writing", "between", "checked"]);

/** What others wrote to a resource, the last of each key, and which of it fell into the unprotected moment. */
class Others {
  readonly written = new Map<string, string | null>();
  readonly unprotected = new Set<string>();
}

const valueOf = (tags: Tags, key: string): string | null => (Object.hasOwn(tags, key) ? (tags[key] ?? null) : null);

describe("whatever the world, the faults, the crashes and the others who write", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open("postgres");
  });
  afterAll(() => world.close());

  /** Writes one tag as somebody else would, where there is room for it and for what a plan may be about to put back. */
  function edit(arn: string, key: string, value: string | null): boolean {
    const now = new Map(Object.entries(world.tags(arn)));
    if (value === null ? !now.delete(key) : !now.has(key) && now.size >= 48) return false;
    if (value !== null) now.set(key, value);
    world.sandbox.setTags(arn, Object.fromEntries(now));
    return true;
  }

  test(
    "no key outside of the plan changes, no value is lost, nobody is overwritten, and the journal tells the truth",
    { timeout: 300_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(runs, async ({ all, faults: rules, edits: wishes, crash, scanned, actions_at_once }) => {
          await world.reset();
          const before = new Map(all.map((tags) => [world.create(tags), tags]));
          const others = new Map([...before.keys()].map((arn) => [arn, new Others()]));
          await world.scan();
          fc.pre((await world.draft()).actions.length > 0);
          const plan_id = await world.planned();

          const reached: Partial<Record<ApplyStep, number>> = {};
          const onStep = (step: ApplyStep, { arn }: ActionRow) => {
            const nth = reached[step] ?? 0;
            reached[step] = nth + 1;
            for (const { at, key, value } of wishes) {
              if (at?.step !== step || at.nth !== nth || !edit(arn, key, value)) continue;
              others.get(arn)?.written.set(key, value);
              if (UNPROTECTED.has(step)) others.get(arn)?.unprotected.add(key);
              else others.get(arn)?.unprotected.delete(key);
            }
            if (crash?.step === step && crash.nth === nth) throw new Error("crash");
          };
          const budgets = { ...BUDGETS, actions_at_once, error_minimum: 1000 };
          world.sandbox.setFaults(rules);
          await world.apply(plan_id, { onStep, budgets }).catch(() => {});
          world.sandbox.setFaults([]);
          world.reconnect();
          const arns = [...before.keys()];
          for (const { at, of, key, value } of wishes) {
            const arn = arns[of % arns.length] ?? "";
            if (at !== null || !edit(arn, key, value)) continue;
            others.get(arn)?.written.set(key, value);
            others.get(arn)?.unprotected.delete(key);
          }
          if (scanned) {
            await world.forgetWrites();
            await world.scan();
          }
          const result = await world.apply(plan_id, { alone: true, budgets });
          expect(result).toMatchObject({ remaining: 0 });
          if (result.outcome === "refused") throw new Error(result.reason);
          const { planned, ...ends } = result.counts;
          expect(Object.values(ends).reduce((sum, count) => sum + count, 0)).toBe(planned);

          const { writes } = world;
          expect(await world.apply(plan_id)).toMatchObject({ outcome: "nothing_to_do" });
          expect(world.writes).toBe(writes);

          const { actions } = (await loadPlan(world.database, plan_id))!;
          for (const [arn, old] of before) {
            const theirs = others.get(arn) ?? new Others();
            const action = actions.find((one) => one.arn === arn);
            checkTags(old, world.tags(arn), theirs, action);
            if (action) checkJournal(action, old, world.tags(arn), theirs);
          }
        }),
        { numRuns: 120 },
      );
    },
  );
});

/** Every key is as it was, as somebody else left it, or as planned; and a renamed value is somewhere. */
function checkTags(old: Tags, now: Tags, { written, unprotected }: Others, action: ActionRow | undefined): void {
  const planned = new Map(action?.changes.map((change) => [change.key, change]));
  for (const key of new Set([...Object.keys(old), ...Object.keys(now), ...written.keys()])) {
    const change = action?.state === "blocked" ? undefined : planned.get(key);
    const left = written.has(key) ? (written.get(key) ?? null) : valueOf(old, key);
    const may = [left];
    // What they wrote over what we had written, or as it was before, may be the state from which the plan goes on.
    if (change && (left === change.before || unprotected.has(key))) may.push(change.after);
    expect(may, key).toContain(valueOf(now, key));
  }
  if ([...written.keys()].some((key) => COST_KEYS.includes(key))) return;
  const costs = (tags: Tags) => new Set(COST_KEYS.flatMap((key) => valueOf(tags, key) ?? []));
  expect(costs(now)).toEqual(costs(old));
}

/** What the journal says of an action that has ended is how the service is, but for what others wrote. */
function checkJournal(action: ActionRow, old: Tags, now: Tags, { written }: Others): void {
  const { state, changes, tags_before, tags_after, note } = action;
  const untouched = changes.filter(({ key }) => !written.has(key));
  if (state !== "verified") expect(note).toMatch(/\w/);
  if (state === "verified" || state === "unchanged") {
    for (const { key, after } of untouched) expect(valueOf(now, key), key).toBe(after);
  }
  if (tags_before === null) {
    // No write was ever begun: all is as it was, or as others left it.
    expect(state).not.toBe("verified");
    for (const { key } of untouched) expect(valueOf(now, key), key).toBe(valueOf(old, key));
    return;
  }
  for (const { key } of untouched) expect(valueOf(tags_before, key), key).toBe(valueOf(old, key));
  if (tags_after === null) return;
  for (const key of Object.keys({ ...now, ...tags_after }))
    if (!written.has(key)) expect(valueOf(tags_after, key), key).toBe(valueOf(now, key));
}
