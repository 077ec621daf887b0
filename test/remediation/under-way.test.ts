import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { recordSight } from "../../src/findings/db/record-sight.ts";
import type { FindingRow } from "../../src/findings/changes.ts";
import { findings } from "../../src/findings/schema.ts";
import type { ApplyStep } from "../../src/remediation/aws/apply-action.ts";
import { writesUnderWay } from "../../src/remediation/db/under-way.ts";
import { tagsFrom } from "../../src/tags/tags.ts";
import { describeOnBoth } from "../support/database.ts";
import { plannedUndo } from "./undoing.ts";
import { ACTOR, World } from "./world.ts";

const TAGS = { CostCenter: "CC-0001" };

describeOnBoth("a resource that is read while a write of ours is under way, on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  /** Does something at a step of a repair. */
  const at = (step: ApplyStep, what: () => Promise<unknown>) => ({
    onStep: async (reached: ApplyStep) => {
      if (reached === step) await what();
    },
  });

  async function finding(arn: string): Promise<FindingRow | undefined> {
    const [row] = await world.database.select().from(findings).where(eq(findings.arn, arn));
    return row;
  }

  /** What an event of somebody's call to the service leads to. */
  async function look(arn: string): Promise<string> {
    const unit = {
      partition: "aws",
      account_id: world.account_id,
      region: "us-east-1",
      type: "dataset-group",
    } as const;
    const tags = tagsFrom(Object.entries(world.tags(arn)));
    const sight = { unit, arn, read_at: world.time, outcome: "read", tags, resource: null } as const;
    return recordSight(world.database, world.set, sight, {
      actor: ACTOR,
      now: world.time,
      under_repair: writesUnderWay,
    });
  }

  test.each(["written", "checked"] as const)("by a scan at %s: the repair is ours, not observed", async (step) => {
    const arn = world.create(TAGS);
    await world.scan();
    await world.apply(
      await world.planned(),
      at(step, () => world.scan()),
    );
    expect(await finding(arn)).toMatchObject({ state: "resolved", resolution: "fixed_by_remediation" });
  });

  test.each(["written", "checked"] as const)("by a scan at %s of an undo: nobody reverted us", async (step) => {
    const arn = world.create(TAGS);
    await world.scan();
    const plan_id = await world.planned();
    await world.apply(plan_id);
    world.later(1);
    await world.apply(
      await plannedUndo(world, plan_id),
      at(step, () => world.scan()),
    );
    expect(await finding(arn)).toMatchObject({ state: "open", opened_cause: "undone", reverts: 0 });
  });

  test("because of an event: the write itself says what came of it", async () => {
    const arn = world.create(TAGS);
    await world.scan();
    const looks: string[] = [];
    await world.apply(
      await world.planned(),
      at("written", async () => looks.push(await look(arn))),
    );
    expect(looks).toEqual(["older"]);
    expect(await finding(arn)).toMatchObject({ resolution: "fixed_by_remediation" });
    world.later(1);
    expect(await look(arn)).toBe("recorded");
  });

  test("which a dead run left: it is not waited for longer than a write can take", async () => {
    const arn = world.create(TAGS);
    await world.scan();
    const died = world.apply(
      await world.planned(),
      at("written", () => Promise.reject(new Error("died"))),
    );
    await expect(died).rejects.toThrow("died");
    await world.scan();
    expect(await finding(arn)).toMatchObject({ state: "open" });
    await world.forgetWrites();
    await world.scan();
    expect(await finding(arn)).toMatchObject({ state: "resolved", resolution: "fixed_observed" });
  });
});
