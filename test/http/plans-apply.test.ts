import { spawn } from "node:child_process";
import { once } from "node:events";
import { and, eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { audit_log } from "../../src/audit-log/schema.ts";
import { showOne } from "../../src/cli/plans.ts";
import { Plan, UndoMade } from "../../src/http/plan-schemas.ts";
import { Problem } from "../../src/http/schemas.ts";
import { requestApply } from "../../src/remediation/db/apply-requests.ts";
import { pauseRemediation, resumeRemediation } from "../../src/remediation/db/pauses.ts";
import { plan_actions } from "../../src/remediation/schema.ts";
import { startWork } from "../../src/scan/work.ts";
import { ANYONE, BUDGETS } from "../remediation/world-settings.ts";
import { World } from "../remediation/world.ts";
import { describeOnBoth } from "../support/database.ts";
import { openApp } from "./open-app.ts";

const HOUR_MS = 3_600_000;
const ANA = "ana@example.com";
const TAGS = { CostCenter: "CC-0001" };

describeOnBoth("applying and undoing plans through the API on %s", (kind) => {
  let world: World;
  let app: ReturnType<typeof openApp>["app"];
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

  /** A service with so many targets, and so plans, at a time; 0: it leaves them to others. */
  async function serve(at_once = 1, budgets = BUDGETS): Promise<() => Promise<void>> {
    const work = await startWork({
      opened: world.opened,
      aws: world.aws,
      at_once,
      longest_ms: HOUR_MS,
      now: world.now,
      settings: { mass_close: { share: 1, count: 1000 }, target_ms: HOUR_MS, accounts: {} },
      budgets,
      afterScan: async () => {},
    });
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= work.stop());
    stops.push(stop);
    app = openApp(world.database, {
      now: world.now,
      plans: {
        activeSet: async () => world.set,
        approval: { by: "anyone", hours: 168 },
        requestApply: (id, actor) =>
          requestApply(world.database, id, {
            actor,
            now: world.now(),
            enqueue: (...job) => work.queue.enqueuePlan(...job),
          }),
      },
    }).app;
    return stop;
  }

  function send(method: string, path: string, body?: object): Promise<Response> {
    const headers = { "Content-Type": "application/json" };
    return Promise.resolve(
      app.request(`/api/v1${path}`, { method, ...(body && { headers, body: JSON.stringify(body) }) }),
    );
  }
  const plan = async (id: string) => Plan.parse(await (await send("GET", `/plans/${id}`)).json());
  const apply = (id: string) => send("POST", `/plans/${id}/apply`, { requested_by: ANA });
  const refusal = async (response: Response) => {
    const { status, detail } = Problem.parse(await response.json());
    return `${status} ${detail}`;
  };
  async function ended(id: string) {
    await expect.poll(async () => (await plan(id)).apply_requested_at, { timeout: 50_000, interval: 100 }).toBeNull();
    return plan(id);
  }
  async function plannedFor(resources: number): Promise<{ id: string; arns: string[] }> {
    const arns = Array.from({ length: resources }, () => world.create(TAGS));
    await world.scan();
    return { id: await world.planned(), arns };
  }

  test("an approved plan is applied by a worker: accepted at once, its progress on the plan, written once", async () => {
    const { id, arns } = await plannedFor(3);
    await serve();
    const answer = await apply(id);
    expect([answer.status, answer.headers.get("location")]).toEqual([202, `/api/v1/plans/${id}`]);
    expect(Plan.parse(await answer.json())).toMatchObject({ apply_requested_by: ANA, remaining: 3 });
    expect((await apply(id)).status).toBe(202);
    expect(await ended(id)).toMatchObject({ state: "applied", counts: { planned: 3, verified: 3 }, remaining: 0 });
    expect(arns.map((arn) => world.tags(arn)["Environment"])).toEqual(["dev", "dev", "dev"]);
    expect(world.writes).toBe(3);
    expect(await refusal(await apply(id))).toMatch(/^409 .*already applied/);
    const asked = await world.database.select().from(audit_log).where(eq(audit_log.subject, id));
    expect(asked.map(({ action, actor }) => `${action} ${actor.slice(0, 3)}`)).toEqual([
      "plan.created arn",
      "plan.approved arn",
      "plan.apply_requested ana",
      "plan.run_started ana",
      "plan.run_ended ana",
    ]);
  });

  test("what may not be applied is refused at once, and nothing is asked of a worker", async () => {
    world.create(TAGS);
    await world.scan();
    await serve(0);
    const made = await send("POST", "/plans", { requested_by: ANA });
    const { plan: proposed } = (await made.json()) as { plan: { id: string; hash: string } };
    expect(await refusal(await apply(proposed.id))).toMatch(/^409 .*not approved/);
    await send("POST", `/plans/${proposed.id}/approve`, { approved_by: ANA, hash: proposed.hash });
    await pauseRemediation(world.database, { actor: ANA, reason: null, now: world.now() });
    expect(await refusal(await apply(proposed.id))).toMatch(/^409 Repairs are paused/);
    await resumeRemediation(world.database, { actor: ANA, now: world.now() });
    world.later(24 * 8);
    expect(await refusal(await apply(proposed.id))).toMatch(/^409 .*expired/);
    expect(await refusal(await apply("019aaf00-0000-7000-8000-000000000000"))).toMatch(/^404/);
    expect(await plan(proposed.id)).toMatchObject({ apply_requested_at: null });
  });

  test("a plan that was begun and has expired is refused at once, unless a change is half made", async () => {
    const { id } = await plannedFor(3);
    const stop = await serve(1, { ...BUDGETS, max_changes: 2 });
    await apply(id);
    expect(await ended(id)).toMatchObject({ remaining: 1 });
    await stop();
    await serve(0);
    world.later(24 * 8);
    expect(await refusal(await apply(id))).toMatch(/^409 .*expired/);
    expect(await plan(id)).toMatchObject({ apply_requested_at: null });
    const half = and(eq(plan_actions.plan_id, id), eq(plan_actions.state, "planned"));
    await world.database.update(plan_actions).set({ state: "intended" }).where(half);
    expect((await apply(id)).status).toBe(202);
  });

  test("a plan that is rejected before a worker takes it is asked of nobody any longer", async () => {
    const { id } = await plannedFor(1);
    await serve(0);
    await apply(id);
    const answer = await send("POST", `/plans/${id}/reject`, { rejected_by: ANA });
    expect(Plan.parse(await answer.json())).toMatchObject({ state: "rejected", apply_requested_by: null });
    expect(await refusal(await apply(id))).toMatch(/^409 .*rejected/);
  });

  test("whether a run holds the plan is on it, and in what plans show prints", async () => {
    const { id } = await plannedFor(2);
    await serve(0);
    const seen: string[] = [];
    const show = async (options = {}) => {
      let printed = "";
      const out = (text: string) => void (printed += text);
      const about = { actor: ANA, now: world.time, approval: ANYONE, color: false };
      await showOne({ database: world.database, set: world.set, out, ...about }, id, options);
      return printed;
    };
    await world.apply(id, {
      budgets: { ...BUDGETS, max_changes: 1 },
      onStep: async (step) => {
        if (step !== "checked") return;
        const { state, started_at, heartbeat_at, remaining } = await plan(id);
        expect(heartbeat_at).not.toBeNull();
        seen.push(`${state} since ${started_at}, ${remaining} left`);
        expect(await show()).toContain(`Being applied since ${started_at}`);
      },
    });
    expect(seen).toEqual([`applying since ${world.time.toISOString()}, 2 left`]);
    const { heartbeat_at, counts, remaining, stopped } = await plan(id);
    expect([heartbeat_at, remaining]).toEqual([null, 1]);
    expect(await show()).not.toContain("Being applied");
    expect(await show()).toMatch(/Stopped: the budget of 1 [^]*1 verified[^]*\n1 left\n$/);
    expect(JSON.parse(await show({ json: true }))).toMatchObject({ heartbeat_at, counts, remaining, stopped });
  });

  test("a job that was lost is made again: what is asked for is on the plan", async () => {
    const { id } = await plannedFor(1);
    const stop = await serve(0);
    await apply(id);
    await stop();
    await world.database.execute("delete from pgboss.job");
    await serve(1);
    expect(await ended(id)).toMatchObject({ state: "applied", counts: { verified: 1 } });
  });

  test("a service that is told to end lets what is under way end, and the next one goes on by itself", async () => {
    const { id } = await plannedFor(12);
    const stop = await serve();
    world.sandbox.setLatency(60);
    await apply(id);
    await expect.poll(() => world.writes, { timeout: 20_000, interval: 20 }).toBeGreaterThan(1);
    await stop();
    world.sandbox.setLatency(0);
    const left = await plan(id);
    expect(left).toMatchObject({ state: "approved", stopped: "interrupted", apply_requested_by: ANA });
    expect(left.remaining).toBeGreaterThan(0);
    await serve();
    expect(await ended(id)).toMatchObject({ state: "applied", counts: { planned: 12, verified: 12 } });
    expect(world.writes).toBe(12);
  });

  test("a plan that stops at a budget says why, and waits for a person", async () => {
    const { id } = await plannedFor(3);
    await serve(1, { ...BUDGETS, max_changes: 2 });
    await apply(id);
    expect(await ended(id)).toMatchObject({
      state: "approved",
      stopped: expect.stringContaining("2 ") as string,
      counts: { planned: 3, verified: 2, blocked: 1 },
      remaining: 1,
    });
    expect((await apply(id)).status).toBe(202);
    expect(await ended(id)).toMatchObject({ state: "applied", stopped: null, counts: { verified: 3 } });
  });

  test("paused in the middle, a plan waits for a person, also after repairs may go on", async () => {
    const { id } = await plannedFor(12);
    await serve();
    world.sandbox.setLatency(60);
    await apply(id);
    await expect.poll(() => world.writes, { timeout: 20_000, interval: 20 }).toBeGreaterThan(1);
    await pauseRemediation(world.database, { actor: ANA, reason: "look", now: world.now() });
    const { stopped, remaining } = await ended(id);
    expect(stopped).toContain(`paused by ${ANA}`);
    expect(remaining).toBeGreaterThan(0);
    world.sandbox.setLatency(0);
    await resumeRemediation(world.database, { actor: ANA, now: world.now() });
    expect((await apply(id)).status).toBe(202);
    expect(await ended(id)).toMatchObject({ state: "applied", counts: { verified: 12 } });
    expect(world.writes).toBe(12);
  });

  test("a plan, or a part of it, is undone by a plan of its own, that is approved and applied as any", async () => {
    const { id, arns } = await plannedFor(2);
    await serve();
    await apply(id);
    await ended(id);
    world.later(1);
    const answer = await send("POST", `/plans/${id}/undo`, { requested_by: ANA, arn: [arns[0]] });
    const { plan: undo, left_total } = UndoMade.parse(await answer.json());
    expect([answer.status, answer.headers.get("location"), left_total]).toEqual([201, `/api/v1/plans/${undo?.id}`, 0]);
    expect(undo).toMatchObject({ kind: "undo", undoes_plan_id: id, state: "proposed", created_by: ANA });
    await send("POST", `/plans/${undo?.id}/approve`, { approved_by: ANA, hash: undo?.hash });
    await apply(undo?.id ?? "");
    expect(await ended(undo?.id ?? "")).toMatchObject({ state: "applied", counts: { verified: 1 } });
    expect(arns.map((arn) => world.tags(arn)["Environment"])).toEqual([undefined, "dev"]);

    world.later(1);
    const again = await send("POST", `/plans/${id}/undo`, { requested_by: ANA, arn: [arns[0]] });
    expect(again.status).toBe(200);
    expect(UndoMade.parse(await again.json())).toMatchObject({
      plan: null,
      left: [{ arn: arns[0], state: "skipped", note: expect.stringContaining("Environment") as string }],
    });
    const unknown = (body: object) => send("POST", `/plans/${id}/undo`, { requested_by: ANA, ...body });
    expect(await refusal(await unknown({ arn: ["arn:x"] }))).toMatch(/^400 .*arn:x/);
    expect(await refusal(await unknown({ position: [7] }))).toMatch(/^400 .*position 7/);
  });

  test("a plan is not undone while a run applies it", async () => {
    const { id } = await plannedFor(1);
    await serve(0);
    let answer: Response | undefined;
    await world.apply(id, {
      onStep: async (step) => {
        if (step === "checked") answer = await send("POST", `/plans/${id}/undo`, { requested_by: ANA });
      },
    });
    expect(await refusal(answer!)).toMatch(/^409 .*is being applied/);
    expect((await send("POST", `/plans/${id}/undo`, { requested_by: ANA })).status).toBe(201);
  });

  // The embedded database has one process.
  test.runIf(kind === "postgres")("a process killed with -9 in the middle: another one ends the plan", async () => {
    const { id, arns } = await plannedFor(3);
    const stop = await serve(0);
    await apply(id);
    const child = spawn(process.execPath, ["test/remediation/apply-and-die.ts"], {
      env: { ...process.env, URL: world.opened.url!, ENDPOINT: world.sandbox.url, PLAN: id, STEP: "written" },
      stdio: "ignore",
    });
    expect((await once(child, "exit"))[1]).toBe("SIGKILL");
    expect(await plan(id)).toMatchObject({ state: "applying", apply_requested_by: ANA });
    await stop();
    await serve();
    expect(await ended(id)).toMatchObject({ state: "applied", counts: { planned: 3, verified: 3 } });
    expect(world.writes).toBe(3);
    expect(arns.map((arn) => world.tags(arn)["Environment"])).toEqual(["dev", "dev", "dev"]);
  });
});
