import { spawn } from "node:child_process";
import { once } from "node:events";
import { and, eq, sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { audit_log } from "../../src/audit-log/schema.ts";
import { uuidv7 } from "../../src/db/uuid.ts";
import { refuseApply, requestApply } from "../../src/remediation/db/apply-requests.ts";
import { LeaseLostError, releasePlan, takePlan } from "../../src/remediation/db/journal.ts";
import { plans } from "../../src/remediation/schema.ts";
import { countActions } from "../../src/remediation/store.ts";
import { startWork } from "../../src/scan/work.ts";
import { BUDGETS } from "../remediation/world-settings.ts";
import { World } from "../remediation/world.ts";
import { describeOnBoth } from "../support/database.ts";

const ANA = "ana@example.com";
const BUDGET_USED = "the budget of 2 changes a run is used up";

describeOnBoth("plans that workers are asked to apply on %s", (kind) => {
  let world: World;
  const stops: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    world = await World.open(kind);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());
  afterEach(async () => {
    world.sandbox.setLatency(0);
    for (const stop of stops.splice(0).toReversed()) await stop();
  });

  async function work(): Promise<void> {
    const started = await startWork({
      opened: world.opened,
      aws: world.aws,
      at_once: 1,
      longest_ms: 3_600_000,
      now: world.now,
      settings: { mass_close: { share: 1, count: 1000 }, target_ms: 3_600_000, accounts: {} },
      budgets: BUDGETS,
      afterScan: async () => {},
    });
    stops.push(() => started.stop());
  }
  async function planned(resources: number): Promise<string> {
    for (let count = 0; count < resources; count++) world.create({ CostCenter: "CC-0001" });
    await world.scan();
    return world.planned();
  }
  /** The job is left to the sweep, as one that was lost. */
  const ask = (id: string) =>
    requestApply(world.database, id, { actor: ANA, now: world.now(), enqueue: async () => {} });
  async function row(id: string) {
    const [plan] = await world.database.select().from(plans).where(eq(plans.id, id));
    return plan!;
  }
  async function ended(id: string) {
    await expect.poll(async () => (await row(id)).apply_requested_at, { timeout: 50_000, interval: 100 }).toBeNull();
    return row(id);
  }
  const told = (id: string, action: "plan.run_ended" | "plan.apply_refused") =>
    world.database.$count(audit_log, and(eq(audit_log.subject, id), eq(audit_log.action, action)));

  test("a plan whose run the database failed is gone on with by itself, and written once", async () => {
    const id = await planned(2);
    await world.database.execute(sql`
      create function fail() returns trigger language plpgsql as $$ begin
        if new.state = 'verified' then raise exception 'terminating connection' using errcode = '57P01'; end if;
        return new;
      end $$`);
    await world.database.execute(
      sql`create trigger fail before update on plan_actions for each row execute function fail()`,
    );
    try {
      await ask(id);
      await work();
      await expect.poll(() => told(id, "plan.run_ended"), { timeout: 20_000, interval: 50 }).toBeGreaterThan(0);
    } finally {
      await world.database.execute(sql`drop function fail cascade`);
    }
    expect(await ended(id)).toMatchObject({ state: "applied", stopped: null });
    expect(await countActions(world.database, id)).toMatchObject({ verified: 2, planned: 0, intended: 0 });
    expect(world.writes).toBe(2);
  });

  test.each([
    ["that lost its hold is gone on with by itself", new LeaseLostError("another run may hold it"), ANA],
    ["that could not reach the database is, too", Object.assign(new Error("gone"), { code: "ECONNRESET" }), ANA],
    ["that met a fault, which would only come again, waits for a person", new TypeError("a fault"), null],
  ])("a run %s", async (_, error, apply_requested_by) => {
    const id = await planned(1);
    await ask(id);
    const failing = world.apply(id, {
      onStep: () => {
        throw error;
      },
    });
    await expect(failing).rejects.toThrow(error);
    expect(await row(id)).toMatchObject({
      state: "approved",
      apply_requested_by,
      stopped: expect.stringContaining("the run ended with an error") as string,
    });
  });

  test("who waits for a run that another process has does not go on once that answered the request", async () => {
    const id = await planned(1);
    await ask(id);
    const hold = { plan_id: id, run_id: uuidv7(world.now()), actor: ANA };
    const lease = { lease_ms: 10_000, isAlive: () => true, now: world.now() };
    expect(await takePlan(world.database, hold, lease)).toMatchObject({ outcome: "taken" });
    let released: Promise<void> | undefined;
    const { apply_requested_at } = await row(id);
    const result = await world.apply(id, {
      alone: false,
      asked_at: apply_requested_at!,
      timing: { heartbeat_ms: 50, lease_ms: 10_000 },
      onWait: () => {
        released = releasePlan(world.database, hold, { stopped: BUDGET_USED, answered: true }, world.now());
      },
    });
    await released;
    expect(result).toEqual({ outcome: "refused", reason: "not_asked" });
    expect(await row(id)).toMatchObject({ state: "approved", stopped: BUDGET_USED });
    expect(world.writes).toBe(0);
  });

  test("a refusal that comes late leaves what was asked since", async () => {
    const id = await planned(1);
    const late = world.now();
    world.later(1);
    await ask(id);
    await refuseApply(world.database, id, { actor: ANA, asked_at: late, stopped: "paused", now: world.now() });
    expect(await row(id)).toMatchObject({ apply_requested_by: ANA, stopped: null });
    expect(await told(id, "plan.apply_refused")).toBe(0);
    await refuseApply(world.database, id, { actor: ANA, asked_at: world.now(), stopped: "paused", now: world.now() });
    expect(await row(id)).toMatchObject({ apply_requested_by: null, stopped: "paused" });
    expect(await told(id, "plan.apply_refused")).toBe(1);
  });

  // The embedded database has one process.
  test.runIf(kind === "postgres")("a worker killed with -9 while it applies: another one ends the plan", async () => {
    const id = await planned(12);
    await ask(id);
    world.sandbox.setLatency(60);
    const child = spawn(process.execPath, ["test/scan/work-on-plans.ts"], {
      env: { ...process.env, URL: world.opened.url!, ENDPOINT: world.sandbox.url },
      stdio: "ignore",
    });
    stops.push(async () => void child.kill("SIGKILL"));
    const gone = once(child, "exit");
    await expect.poll(() => world.writes, { timeout: 30_000, interval: 20 }).toBeGreaterThan(2);
    child.kill("SIGKILL");
    expect((await gone)[1]).toBe("SIGKILL");
    world.sandbox.setLatency(0);
    // The dead one's job is under way for the queue, and its plan is held.
    const jobs = await world.database.execute(sql`select state from pgboss.job where name = 'apply-plan'`);
    expect(jobs).toMatchObject({ rows: expect.arrayContaining([{ state: "active" }]) as unknown });
    expect(await row(id)).toMatchObject({ state: "applying", apply_requested_by: ANA });
    await work();
    expect(await ended(id)).toMatchObject({ state: "applied", stopped: null });
    expect(await countActions(world.database, id)).toMatchObject({ verified: 12, planned: 0, intended: 0, failed: 0 });
    expect(world.writes).toBe(12);
  });
});
