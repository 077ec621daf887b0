import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { verifyAudit } from "../../src/audit-log/store.ts";
import { apply } from "../../src/cli/apply.ts";
import { showOne } from "../../src/cli/plans.ts";
import { scans } from "../../src/inventory/schema.ts";
import type { ApplyResult } from "../../src/remediation/aws/apply.ts";
import type { ApplyStep } from "../../src/remediation/aws/apply-action.ts";
import { autoRemediate } from "../../src/remediation/aws/auto.ts";
import { currentPause, pauseRemediation, resumeRemediation } from "../../src/remediation/db/pauses.ts";
import { plan_actions, remediation_pauses } from "../../src/remediation/schema.ts";
import { describeOnBoth } from "../support/database.ts";
import { ACTOR, AUTO_POLICY, filler, setOf, World } from "./world.ts";
import { ANYONE } from "./world-settings.ts";

const WHO = { actor: "ana@example.com", reason: "INC-1" };
const STOPPED = expect.stringMatching(/^paused by ana@example.com since 2026-03-01T\d\d:00:00.000Z: INC-1$/) as string;

describeOnBoth("repairs that are paused, on %s", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const pause = () => pauseRemediation(world.database, { ...WHO, now: world.time });
  const resume = () => resumeRemediation(world.database, { actor: "bo@example.com", now: world.time });

  /** Pauses when a run reaches a step for the nth time. Says what had been written by then. */
  function pauseAt(wanted: ApplyStep, time: number) {
    const at = { reached: 0, writes: -1 };
    const onStep = async (step: ApplyStep) => {
      if (step !== wanted || ++at.reached !== time) return;
      await pause();
      at.writes = world.writes;
    };
    return { at, onStep };
  }

  test("half-way through a plan: no write begins any more, and after resuming it goes on from there", async () => {
    const arns = Array.from({ length: 20 }, (_, index) =>
      world.create({ CostCenter: "CC-0001" }, { region: index % 2 ? "us-east-1" : "eu-west-1" }),
    );
    await world.scan();
    const plan_id = await world.planned();
    const { at, onStep } = pauseAt("ended", 9);
    const stopped = await world.apply(plan_id, { onStep });
    expect(stopped).toMatchObject({ outcome: "stopped", stopped: STOPPED });
    // Two targets are worked on at a time: the other one may have had a write on its way.
    expect(world.writes - at.writes).toBeLessThanOrEqual(1);
    const { counts, remaining } = stopped as Extract<ApplyResult, { counts: unknown }>;
    expect(counts).toMatchObject({ planned: 20, verified: world.writes, blocked: remaining });
    expect(counts.verified + remaining).toBe(20);

    expect(await world.apply(plan_id)).toEqual({ outcome: "refused", reason: "paused" });
    expect(world.writes).toBe(counts.verified);
    await resume();
    expect(await world.apply(plan_id)).toMatchObject({ outcome: "applied", counts: { planned: 20, verified: 20 } });
    expect(world.writes).toBe(20);
    for (const arn of arns) expect(world.tags(arn)["Environment"]).toBe("dev");
    expect((await verifyAudit(world.database)).fault).toBeNull();
  });

  test.each(["intended", "read", "writing"] as const)(
    "at %s, before anything of an action was sent: nothing is, and it is planned as before",
    async (step) => {
      const arn = world.create({ CostCenter: "CC-0001" });
      await world.scan();
      const plan_id = await world.planned();
      const { onStep } = pauseAt(step, 1);
      expect(await world.apply(plan_id, { onStep })).toMatchObject({ outcome: "stopped", stopped: STOPPED });
      expect(world.writes).toBe(0);
      expect(await world.action(plan_id, arn)).toMatchObject({ state: "planned", tags_before: null });
      await resume();
      expect(await world.apply(plan_id)).toMatchObject({ outcome: "applied", counts: { verified: 1 } });
    },
  );

  test.each([
    ["with room", { Environment: "prod", "cost-center": "CC-1234" }],
    ["at 50 tags", { ...filler(48), Environment: "prod", "cost-center": "CC-1234" }],
  ])("between the two calls of a rename %s: it is ended, and the next action is not begun", async (_, tags) => {
    const arns = [world.create(tags), world.create(tags)];
    await world.scan();
    const { onStep } = pauseAt("between", 1);
    const plan_id = await world.planned();
    expect(await world.apply(plan_id, { onStep })).toMatchObject({
      outcome: "stopped",
      stopped: STOPPED,
      counts: { verified: 1, blocked: 1 },
    });
    expect(world.writes).toBe(2);
    const renamed = arns.filter(
      (arn) => world.tags(arn)["CostCenter"] === "CC-1234" && !("cost-center" in world.tags(arn)),
    );
    expect(renamed).toHaveLength(1);
  });

  test("as a reply of the first call is lost: the rename is ended", async () => {
    const tags = { ...filler(48), Environment: "prod", "cost-center": "CC-1234" };
    const arn = world.create(tags);
    await world.scan();
    world.sandbox.setFaults([{ kind: "lost_reply", operation: "UntagResource", times: 1 }]);
    const { onStep } = pauseAt("written", 1);
    await world.apply(await world.planned(), { onStep });
    expect(world.tags(arn)["CostCenter"]).toBe("CC-1234");
  });

  test("while a write waits for its turn: it is not sent", async () => {
    world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const api = await world.aws.target({ account_id: world.account_id, region: "us-east-1" }, "repair");
    let release = () => {};
    const until = new Promise<void>((done) => (release = done));
    // As many as may be under way at a time are.
    const others = Array.from({ length: 200 }, () => api.call("write", "Other", () => until));
    const running = world.apply(await world.planned(), {
      onStep: async (step) => {
        if (step !== "writing") return;
        void setTimeout(50).then(pause).then(release);
      },
    });
    expect(await running).toMatchObject({ outcome: "stopped", stopped: STOPPED });
    await Promise.all(others);
    expect(world.writes).toBe(0);
  });

  test("what a dead run left without its value is put back by a run that began before the pause", async () => {
    const arn = world.create({ ...filler(48), Environment: "prod", "cost-center": "CC-1234" });
    await world.scan();
    const plan_id = await world.planned();
    // It dies between the calls, with the value off the resource.
    const dead = world.apply(plan_id, {
      onStep: (step) => {
        if (step === "between") throw new Error("died");
      },
    });
    await expect(dead).rejects.toThrow("died");
    expect(world.tags(arn)["CostCenter"]).toBeUndefined();
    const { onStep } = pauseAt("intended", 1);
    expect(await world.apply(plan_id, { onStep })).toMatchObject({ counts: { verified: 1 } });
    expect(world.tags(arn)["CostCenter"]).toBe("CC-1234");
  });

  test("the command says that it wrote nothing and how to go on, exits with 3, and approves nothing", async () => {
    world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const { createPlan, loadPlan } = await import("../../src/remediation/store.ts");
    const about = { mode: "plan", policy_set_id: world.set.id, actor: ACTOR, now: world.time } as const;
    const { id } = (await createPlan(world.database, await world.draft(), about))!;
    await pause();
    let printed = "";
    const out = (text: string) => void (printed += text);
    const deps = { ...world.deps(), actor: ACTOR, approval: ANYONE, color: false, out };
    expect(await apply({ ...deps, confirm: null }, id, {})).toBe(3);
    expect(printed).toMatch(
      /^Nothing was written: repairs are paused by ana@example.com since \S+: INC-1\nTo let them go on: tagwarden resume\n$/,
    );
    expect((await loadPlan(world.database, id))?.plan.state).toBe("proposed");
    printed = "";
    await showOne({ ...deps, now: world.time }, id, {});
    expect(printed).toContain("Repairs are paused by ana@example.com since ");
    await resume();
    expect(await apply({ ...deps, confirm: null }, id, {})).toBe(0);
  });

  test("automatic repair does not begin, the scan says why, and after resuming the next scan repairs", async () => {
    await world.reset(setOf(AUTO_POLICY));
    const arn = world.create({ CostCenter: "CC-0001" });
    await pause();
    const scan_id = await world.scan();
    expect(await autoRemediate(world.deps(), scan_id)).toMatchObject({ planned: 1, blocked: 1, verified: 0 });
    const [scan] = await world.database.select().from(scans).where(eq(scans.id, scan_id));
    expect(scan?.warnings).toEqual([
      expect.stringMatching(
        /^Automatic repair of 1 resource did not begin: paused by ana@example.com since .*: INC-1$/,
      ),
    ]);
    expect(await world.database.select().from(plan_actions)).toEqual([]);
    await resume();
    expect(await autoRemediate(world.deps(), await world.scan())).toMatchObject({ planned: 1, verified: 1 });
    expect(world.tags(arn)["Environment"]).toBe("dev");
  });

  test("pausing twice and resuming twice changes nothing and says so", async () => {
    expect(await resume()).toEqual({ changed: false, pause: null });
    const first = await pause();
    expect(first).toMatchObject({ changed: true, pause: { paused_by: "ana@example.com", reason: "INC-1" } });
    world.later(1);
    const again = { actor: "bo@example.com", reason: "other", now: world.time };
    expect(await pauseRemediation(world.database, again)).toEqual({ changed: false, pause: first.pause });
    expect(await resume()).toMatchObject({
      changed: true,
      pause: { id: first.pause.id, resumed_by: "bo@example.com" },
    });
    expect(await resume()).toEqual({ changed: false, pause: null });
    expect(await currentPause(world.database)).toBeNull();
  });

  test("many who pause and resume at the same time leave at most one pause, and each change in the audit log", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 3 === 2 ? resume() : pause())));
    const rows = await world.database.select().from(remediation_pauses);
    expect(rows.filter(({ resumed_at }) => resumed_at === null).length).toBeLessThanOrEqual(1);
    const { items } = await (
      await import("../../src/reports/db/audit-log.ts")
    ).auditPage(world.database, {
      action: ["remediation.paused", "remediation.resumed"],
    });
    expect(items.length).toBe(results.filter(({ changed }) => changed).length);
  });
});

describe("a run in another process", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open("postgres");
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  test("stops by a pause that is committed here", async () => {
    for (let made = 0; made < 200; made++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    const plan_id = await world.planned();
    const child = spawn(process.execPath, ["test/remediation/apply-in-process.ts"], {
      env: { ...process.env, URL: world.opened.url!, ENDPOINT: world.sandbox.url, PLAN: plan_id },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let stdout = "";
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    const exited = once(child, "exit");
    while (world.writes < 5) await setTimeout(10);
    await pauseRemediation(world.database, { ...WHO, now: world.time });
    const { writes } = world;
    await exited;
    // One write may have been on its way.
    expect(world.writes - writes).toBeLessThanOrEqual(1);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: "stopped",
      stopped: STOPPED,
      counts: { planned: 200, verified: world.writes },
    });
    await resumeRemediation(world.database, { actor: "bo@example.com", now: world.time });
    expect(await world.apply(plan_id)).toMatchObject({ outcome: "applied", counts: { planned: 200, verified: 200 } });
    expect(world.writes).toBe(200);
  });
});
