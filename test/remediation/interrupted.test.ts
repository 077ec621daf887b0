import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ApplyStep } from "../../src/remediation/aws/apply-action.ts";
import { plan_actions, plans } from "../../src/remediation/schema.ts";
import { describeOnBoth } from "../support/database.ts";
import { BUDGETS, filler, World } from "./world.ts";
import { connect } from "./world-settings.ts";

const STEPS = ["intended", "read", "writing", "between", "written", "checked", "ended"] as const;

/** A rename with room and one without: the two orders of writing. */
const RENAMES = [
  ["tag first", { Environment: "prod", "cost-center": "CC-1234" }],
  ["untag first, at 50 tags", { ...filler(48), Environment: "prod", "cost-center": "CC-1234" }],
] as const;

function renamed(tags: Record<string, string>): Record<string, string> {
  const { "cost-center": value, ...others } = tags;
  return { ...others, CostCenter: value! };
}

describeOnBoth("a run that dies on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  /** Ends a run at a step, the way a crash leaves it: the plan is still held, nothing is tidied up. */
  async function dieAt(plan_id: string, step: ApplyStep): Promise<void> {
    const held: (typeof plans.$inferSelect)[] = [];
    const died = world.apply(plan_id, {
      onStep: async (reached) => {
        if (reached !== step) return;
        held.push(...(await world.database.select().from(plans)));
        throw new Error(`died at ${step}`);
      },
    });
    await expect(died).rejects.toThrow(`died at ${step}`);
    // A heartbeat may still be on its way over a connection that is being opened; the dead send none.
    await setTimeout(100);
    const { state, run_id, heartbeat_at } = held[0]!;
    await world.database.update(plans).set({ state, run_id, heartbeat_at, stopped: null });
  }

  // The embedded database is slow to empty: it gets the harder order only.
  describe.each(kind === "pglite" ? RENAMES.slice(1) : RENAMES)("%s", (_, tags) => {
    test.each(STEPS)("at %s: applied again it ends right, and writes nothing twice", async (step) => {
      const arn = world.create(tags);
      await world.scan();
      const plan_id = await world.planned();
      await dieAt(plan_id, step);
      expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, verified: 1, failed: 0, conflict: 0 } });
      expect(world.tags(arn)).toEqual(renamed(tags));
      expect(world.writes).toBe(2);
      expect((await world.action(plan_id, arn)).tags_before).toEqual(tags);
      expect(await world.findingsOf(arn)).toEqual({ "cost-center": "fixed_by_remediation" });
    });

    test.each(["intended", "read", "writing", "between"] as const)(
      "at %s, and someone changes the planned key meanwhile: conflict, their value stays",
      async (step) => {
        const arn = world.create(tags);
        await world.scan();
        const plan_id = await world.planned();
        await dieAt(plan_id, step);
        const theirs = { ...world.tags(arn), CostCenter: "CC-7777" };
        delete (theirs as Record<string, string>)["filler-0"];
        world.sandbox.setTags(arn, theirs);
        expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, conflict: 1 } });
        expect(world.tags(arn)).toEqual(theirs);
      },
    );
  });

  test("between the calls of a rename that took the value off: it is put back on even when the finding looks different now", async () => {
    const tags = { ...filler(48), Environment: "prod", "cost-center": "CC-1234" };
    const arn = world.create(tags);
    await world.scan();
    const plan_id = await world.planned();
    await dieAt(plan_id, "between");
    await world.forgetWrites();
    await world.scan();
    expect(await world.apply(plan_id)).toMatchObject({ counts: { verified: 1 } });
    expect(world.tags(arn)["CostCenter"]).toBe("CC-1234");
  });

  test("between the calls of a rename that took the value off, and the room is taken: it waits for room, and puts it back on then", async () => {
    const arn = world.create({ ...filler(48), Environment: "prod", "cost-center": "CC-1234" });
    await world.scan();
    const plan_id = await world.planned();
    await dieAt(plan_id, "between");
    const full = { ...filler(49), Environment: "prod" };
    world.sandbox.setTags(arn, full);
    expect(await world.apply(plan_id)).toMatchObject({
      outcome: "stopped",
      stopped: expect.stringContaining("off the resource") as string,
      counts: { planned: 1, failed: 1 },
      remaining: 1,
    });
    expect(world.tags(arn)).toEqual(full);
    world.sandbox.setTags(arn, { ...filler(48), Environment: "prod" });
    expect(await world.apply(plan_id)).toMatchObject({ outcome: "applied", counts: { planned: 1, verified: 1 } });
    expect(world.tags(arn)["CostCenter"]).toBe("CC-1234");
  });

  test("an action that cannot be brought to its end holds up no other", async () => {
    const arn = world.create({ ...filler(48), Environment: "prod", "cost-center": "CC-1234" });
    await world.scan();
    for (let i = 0; i < 3; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    const waiting = world.apply(plan_id, {
      onStep: (step) => {
        if (step === "between") throw new Error("died");
      },
    });
    await expect(waiting).rejects.toThrow("died");
    world.sandbox.setTags(arn, { ...filler(49), Environment: "prod" });
    expect(await world.apply(plan_id)).toMatchObject({
      outcome: "stopped",
      stopped: expect.stringContaining("off the resource") as string,
      counts: { planned: 4, verified: 3, failed: 1 },
      remaining: 1,
    });
  });

  test("before it wrote, and the finding was resolved meanwhile: skipped", async () => {
    const arn = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    await dieAt(plan_id, "writing");
    world.sandbox.setTags(arn, { CostCenter: "CC-0001", Environment: "prod" });
    await world.forgetWrites();
    await world.scan();
    expect(await world.apply(plan_id)).toMatchObject({ counts: { planned: 1, conflict: 1 } });
    expect(world.tags(arn)["Environment"]).toBe("prod");
    expect(world.writes).toBe(0);
  });

  test("an expired approval ends what was begun, and begins nothing", async () => {
    const begun = world.create({ CostCenter: "CC-0001" });
    const waiting = world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    await dieAt(plan_id, "written");
    world.later(24 * 8);
    expect(await world.apply(plan_id)).toMatchObject({
      outcome: "stopped",
      stopped: "its approval expired",
      counts: { verified: 1, blocked: 1 },
    });
    const written = [begun, waiting].filter((arn) => world.tags(arn)["Environment"] === "dev");
    expect(written).toHaveLength(1);
  });

  test("two runs at once: one applies, the other is refused, nothing is written twice", async () => {
    for (let i = 0; i < 5; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    const results = await Promise.all([world.apply(plan_id), world.apply(plan_id), world.apply(plan_id)]);
    expect(results.filter(({ outcome }) => outcome === "applied")).toHaveLength(1);
    expect(results.filter(({ outcome }) => outcome === "refused" || outcome === "nothing_to_do")).toHaveLength(2);
    expect(world.writes).toBe(5);
  });

  test("a run whose plan another one took while a write waited for its turn does not send it", async () => {
    for (let i = 0; i < 2; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    const aws = connect(world.sandbox.url, 5000, { start: 1, most: 1 });
    const slow = world.apply(plan_id, {
      aws,
      budgets: { ...BUDGETS, actions_at_once: 2 },
      onStep: async (step) => {
        if (step === "written")
          await world.database.update(plans).set({ run_id: "019aaf00-0000-7000-8000-000000000000" });
      },
    });
    await expect(slow).rejects.toThrow(/another run (may hold|holds) plan/);
    aws.close();
    expect(world.writes).toBe(1);
  });

  test("a run whose plan another one took writes nothing more", async () => {
    for (let i = 0; i < 3; i++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    const slow = world.apply(plan_id, {
      onStep: async (step) => {
        if (step === "ended")
          await world.database.update(plans).set({ run_id: "019aaf00-0000-7000-8000-000000000000" });
      },
    });
    await expect(slow).rejects.toThrow("another run holds plan");
    expect(world.writes).toBe(1);
    expect(await world.database.select({ state: plans.state }).from(plans)).toEqual([{ state: "applying" }]);
  });
});

describe("a process killed with -9", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open("postgres");
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  test.each(STEPS)("at %s: another process takes over once the lease is over, and ends it right", async (step) => {
    const tags = RENAMES[1][1];
    const arns = [world.create(tags), world.create(tags)];
    await world.scan();
    const plan_id = await world.planned();
    const child = spawn(process.execPath, ["test/remediation/apply-and-die.ts"], {
      env: { ...process.env, URL: world.opened.url!, ENDPOINT: world.sandbox.url, PLAN: plan_id, STEP: step },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    expect(signal, stderr).toBe("SIGKILL");
    const begun = await world.database.select().from(plan_actions).where(eq(plan_actions.state, "intended"));
    expect(begun).toMatchObject(step === "ended" ? [] : [{ attempts: 1 }]);

    expect(await world.apply(plan_id)).toMatchObject({ outcome: "applied", counts: { planned: 2, verified: 2 } });
    for (const arn of arns) expect(world.tags(arn)).toEqual(renamed(tags));
    expect(world.writes).toBe(4);
  });
});
