import { afterAll, beforeAll, expect, test } from "vitest";
import { compilePolicies } from "../../src/policy/load.ts";
import vectors from "../fixtures/remediation-vectors.json" with { type: "json" };
import { describeOnBoth } from "../support/database.ts";
import { World } from "./world.ts";

const setOf = (rules: unknown) =>
  compilePolicies([{ path: "p.yaml", text: JSON.stringify({ version: 1, id: "p", title: "P", rules }) }]);

/** What depends on a change of the same plan is planned after it. */
const MOST_PLANS = 3;

describeOnBoth("what other tools repair, through plan, apply and the service, on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());

  /** Scans, plans and applies until there is nothing to plan. Returns how many plans that took. */
  async function repairAll(): Promise<number> {
    for (let plans = 0; plans <= MOST_PLANS; plans++) {
      await world.scan();
      if ((await world.draft()).actions.length === 0) return plans;
      const { counts } = (await world.apply(await world.planned())) as { counts: Record<string, number> };
      expect(counts["verified"]).toBe(counts["planned"]);
    }
    throw new Error(`after ${MOST_PLANS} plans there is still something to do`);
  }

  test.each(vectors.applied)("$name", async ({ rules, tags_before, tags_after }) => {
    await world.reset(setOf(rules));
    const arn = world.create(tags_before);
    const plans = await repairAll();
    expect(world.tags(arn)).toEqual(tags_after);
    const { writes } = world;
    expect(writes > 0).toBe(plans > 0);
    await repairAll();
    expect(world.writes).toBe(writes);
  });

  test.each(vectors.left_to_a_person)("$name: nothing is written, because $why", async ({ rules, tags_before }) => {
    await world.reset(setOf(rules));
    const arn = world.create(tags_before);
    await world.scan();
    const draft = await world.draft();
    expect(draft.actions).toEqual([]);
    expect(draft.review.length).toBeGreaterThan(0);
    await repairAll();
    expect(world.tags(arn)).toEqual(tags_before);
    expect(world.writes).toBe(0);
  });
});
