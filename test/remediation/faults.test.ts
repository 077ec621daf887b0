import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FaultRule } from "../../src/sandbox/server.ts";
import { plans } from "../../src/remediation/schema.ts";
import { filler, World } from "./world.ts";

const KINDS = ["throttle", "server_error", "hang", "cut", "lost_reply", "access_denied"] as const;
/** Nothing happened at the service: the call had no effect. */
const WITHOUT_EFFECT = KINDS.filter((kind) => kind !== "lost_reply");

const RENAME = { Environment: "prod", "cost-center": "CC-1234", Keep: "me" };
const RENAMED = { Environment: "prod", CostCenter: "CC-1234", Keep: "me" };
const FULL = { ...filler(48), Environment: "prod", "cost-center": "CC-1234" };
const FULL_RENAMED = { ...filler(48), Environment: "prod", CostCenter: "CC-1234" };

describe("AWS that fails", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open("postgres");
  });
  afterAll(() => world.close());
  beforeEach(() => {
    world.timeout_ms = 400;
    return world.reset();
  });

  async function applyWith(tags: Record<string, string>, faults: FaultRule[]) {
    const arn = world.create(tags);
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setFaults(faults);
    const result = await world.apply(plan_id);
    world.sandbox.setFaults([]);
    world.reconnect();
    if (result.outcome === "refused") throw new Error(result.reason);
    return { arn, plan_id, result, action: await world.action(plan_id, arn) };
  }

  test.each(KINDS)("%s before the write: failed by name, nothing written", async (kind) => {
    const { arn, result, action } = await applyWith(RENAME, [{ kind, operation: "ListTagsForResource" }]);
    expect(result.counts).toMatchObject({ planned: 1, failed: 1 });
    expect(action.note).toMatch(/could not be read, nothing was written: ListTagsForResource \w+/);
    expect(world.tags(arn)).toEqual(RENAME);
    expect(world.writes).toBe(0);
    expect(await world.findingsOf(arn)).toEqual({ "cost-center": "open" });
  });

  test.each(KINDS)("%s for a while before the write: read again, and applied", async (kind) => {
    const times = kind === "access_denied" ? 0 : 1;
    const { arn, result } = await applyWith(RENAME, [{ kind, operation: "ListTagsForResource", times }]);
    expect(result.counts).toMatchObject({ verified: 1 });
    expect(world.tags(arn)).toEqual(RENAMED);
  });

  test.each(WITHOUT_EFFECT)("%s at TagResource: failed, one attempt, and the old key is still there", async (kind) => {
    const { arn, result, action } = await applyWith(RENAME, [{ kind, operation: "TagResource" }]);
    expect(result.counts).toMatchObject({ planned: 1, failed: 1 });
    expect(world.tags(arn)).toEqual(RENAME);
    expect(world.writes).toBe(1);
    expect(action).toMatchObject({ state: "failed", tags_after: RENAME });
    expect(await world.findingsOf(arn)).toEqual({ "cost-center": "open" });
  });

  test.each(WITHOUT_EFFECT)(
    "%s at UntagResource: failed, both keys there, nothing lost; the next plan ends it",
    async (kind) => {
      const { arn, result } = await applyWith(RENAME, [{ kind, operation: "UntagResource" }]);
      expect(result.counts).toMatchObject({ planned: 1, failed: 1 });
      expect(world.tags(arn)).toEqual({ ...RENAMED, "cost-center": "CC-1234" });
      await world.scan();
      expect(await world.apply(await world.planned())).toMatchObject({ counts: { verified: 1 } });
      expect(world.tags(arn)).toEqual(RENAMED);
    },
  );

  test.each(["TagResource", "UntagResource"])(
    "the reply of %s is lost: it went through, so verified and no error",
    async (operation) => {
      const { arn, result } = await applyWith(RENAME, [{ kind: "lost_reply", operation }]);
      expect(result.counts).toMatchObject({ planned: 1, verified: 1 });
      expect(world.tags(arn)).toEqual(RENAMED);
      expect(await world.findingsOf(arn)).toEqual({ "cost-center": "fixed_by_remediation" });
    },
  );

  test("lost replies are no errors: they stop no run", async () => {
    for (let i = 0; i < 25; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    world.sandbox.setFaults([{ kind: "lost_reply", operation: "TagResource", share: 0.5 }]);
    world.timeout_ms = 10_000;
    world.reconnect();
    expect(await world.apply(plan_id)).toMatchObject({ outcome: "applied", counts: { planned: 25, verified: 25 } });
  });

  test.each(WITHOUT_EFFECT)(
    "%s once at TagResource after the old key had to go first: tried again, no value lost",
    async (kind) => {
      const { arn, result } = await applyWith(FULL, [{ kind, operation: "TagResource", times: 1 }]);
      expect(result.counts).toMatchObject({ planned: 1, verified: 1 });
      expect(world.tags(arn)).toEqual(FULL_RENAMED);
    },
  );

  test("at 50 tags TagResource fails for good: the journal says so, and applying again puts the value back", async () => {
    const { arn, plan_id, result, action } = await applyWith(FULL, [
      { kind: "access_denied", operation: "TagResource" },
    ]);
    expect(result).toMatchObject({ outcome: "stopped", counts: { planned: 1, failed: 1 }, remaining: 1 });
    expect(action).toMatchObject({ state: "intended", tags_before: FULL });
    expect(action.note).toContain("apply the plan again");
    expect(await world.database.select({ state: plans.state }).from(plans)).toEqual([{ state: "approved" }]);
    await world.scan();
    expect(await world.apply(plan_id)).toMatchObject({ outcome: "applied", counts: { planned: 1, verified: 1 } });
    expect(world.tags(arn)).toEqual(FULL_RENAMED);
  });

  test.each(WITHOUT_EFFECT)("%s at UntagResource at 50 tags: failed, and all as it was", async (kind) => {
    const { arn, result } = await applyWith(FULL, [{ kind, operation: "UntagResource" }]);
    expect(result.counts).toMatchObject({ planned: 1, failed: 1 });
    expect(world.tags(arn)).toEqual(FULL);
  });

  test.each(KINDS)("%s when reading back: failed, as not seen; the next plan finds it done", async (kind) => {
    const { arn, result, action } = await applyWith(RENAME, [{ kind, operation: "ListTagsForResource", after: 1 }]);
    expect(result.counts).toMatchObject({ planned: 1, failed: 1 });
    expect(action.note).toContain("could not be read back");
    expect(world.tags(arn)).toEqual(RENAMED);
    expect(await world.findingsOf(arn)).toEqual({ "cost-center": "open" });
    expect(await world.apply(await world.planned())).toMatchObject({ counts: { unchanged: 1 } });
    expect(await world.findingsOf(arn)).toEqual({ "cost-center": "fixed_observed" });
  });

  test("someone writes the key after us, before it is read back: failed, and their value stays", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    const onStep = (step: string) => {
      if (step === "written") world.sandbox.setTags(arn, { CostCenter: "CC-0001", Environment: "staging" });
    };
    expect(await world.apply(plan_id, { onStep })).toMatchObject({ counts: { failed: 1 } });
    expect(world.tags(arn)["Environment"]).toBe("staging");
    expect(world.writes).toBe(1);
  });
});
