import type { Database } from "../../db/client.ts";
import { isDatabaseDown } from "../../db/down.ts";
import { uuidv7 } from "../../db/uuid.ts";
import { pause } from "../../inventory/aws/pause.ts";
import type { Aws } from "../../inventory/aws/session.ts";
import { errorName } from "../../inventory/call-error.ts";
import type { PolicySet } from "../../policy/load.ts";
import { type Budgets, Spending } from "../budget.ts";
import { countsOf, type RemediationCounts } from "../counts.ts";
import type { End } from "../decide.ts";
import { beat, type Hold, INTERRUPTED, LeaseLostError, releasePlan, takePlan } from "../db/journal.ts";
import { whyPaused } from "../db/pauses.ts";
import { countRecentWrites } from "../db/recent-writes.ts";
import { LEASE_MS } from "../lease.ts";
import { planHash } from "../plan.ts";
import { type ActionRow, countActions, loadPlan, type PlanRefusal, type PlanRow } from "../store.ts";
import type { ApplyStep, Run } from "./apply-action.ts";
import { runActions } from "./run-actions.ts";

/** What applying works with. */
export type ApplyDeps = {
  readonly database: Database;
  readonly aws: Aws;
  /** The active set. */
  readonly set: PolicySet;
  readonly now: () => Date;
  readonly budgets: Budgets;
  /** No other process has this database open, as with PGlite: a run that is not ours is dead. */
  readonly alone?: boolean;
  /** The request that this run answers: nothing begins once another run has. */
  readonly asked_at?: Date;
  readonly timing?: Partial<ApplyTiming>;
  /** Hears of every step; what it throws ends the run as a crash would. */
  readonly onStep?: (step: ApplyStep, action: ActionRow, end?: End) => void | Promise<void>;
  /** Told once, when a plan has to be waited for because a run that held it may be dead. */
  readonly onWait?: (milliseconds: number) => void;
};

/** Durations, in milliseconds. */
export type ApplyTiming = {
  /** Waits before each reading back after a write. */
  readonly verify_delays_ms: readonly number[];
  /** A run that has not said for so long that it lives is dead. */
  readonly lease_ms: number;
  readonly heartbeat_ms: number;
};

const TIMING: ApplyTiming = {
  verify_delays_ms: [0, 250, 500, 1000, 2000, 4000],
  lease_ms: LEASE_MS,
  heartbeat_ms: 2000,
};

/**
 * What came of it. The counts are of the whole plan, whatever runs it took, and add up: `planned` is the number of actions and
 * the sum of the others. What a stopped run left counts as `blocked`, or `failed` when it was begun; `remaining` says how many.
 */
export type ApplyResult =
  | {
      /** `nothing_to_do`: the plan was applied before. `stopped`: apply it again to go on. */
      readonly outcome: "applied" | "nothing_to_do" | "stopped";
      readonly counts: RemediationCounts;
      readonly remaining: number;
      readonly stopped: string | null;
    }
  | { readonly outcome: "refused"; readonly reason: Exclude<PlanRefusal, "already_applied"> };

/** Runs of this process. */
const running = new Set<string>();

/**
 * Applies an approved plan, or goes on with one that a dead run left. Each action is journaled before and after; see
 * `applyAction`. Aborting `signal` begins no further action and lets those under way end. Throws when the database fails, or
 * when another process took the plan over; then applying again goes on.
 */
export async function applyPlan(
  deps: ApplyDeps,
  plan_id: string,
  actor: string,
  signal?: AbortSignal,
): Promise<ApplyResult> {
  const spending = new Spending(deps.budgets);
  return applyWithin(deps, spending, plan_id, actor, signal);
}

/** Like `applyPlan`, within budgets that several plans share. */
export async function applyWithin(
  deps: ApplyDeps,
  spending: Spending,
  plan_id: string,
  actor: string,
  signal?: AbortSignal,
): Promise<ApplyResult> {
  const { database, now } = deps;
  const loaded = await loadPlan(database, plan_id);
  const refusal = refusalOf(loaded, now());
  if (refusal === "already_applied") return resultOf(database, plan_id, "nothing_to_do", null);
  if (refusal !== null) return { outcome: "refused", reason: refusal };
  if ((await whyPaused(database)) !== null) return { outcome: "refused", reason: "paused" };

  const hold: Hold = { plan_id, run_id: uuidv7(now()), actor };
  const timing = { ...TIMING, ...deps.timing };
  running.add(hold.run_id);
  try {
    const taken = await takeOver(deps, hold, timing, signal);
    if (taken === "applied") return await resultOf(database, plan_id, "nothing_to_do", null);
    if (taken !== "taken") return { outcome: "refused", reason: taken };
    return await runPlan(deps, spending, hold, timing, actor, signal);
  } finally {
    running.delete(hold.run_id);
  }
}

async function runPlan(
  deps: ApplyDeps,
  spending: Spending,
  hold: Hold,
  timing: ApplyTiming,
  actor: string,
  signal: AbortSignal | undefined,
): Promise<ApplyResult> {
  const { database, set, now } = deps;
  // Loaded anew: between the first look and the hold another run may have ended some.
  const loaded = await loadPlan(database, hold.plan_id);
  const refusal = refusalOf(loaded, now());
  const lease = keepAlive(database, hold, spending, timing);
  let stopped: string | null = null;
  let passing = false;
  try {
    if (!loaded || refusal !== null) {
      stopped = "it could not be applied as it was approved";
      return { outcome: "refused", reason: refusal === null || refusal === "already_applied" ? "not_found" : refusal };
    }
    const { plan, actions } = loaded;
    const run: Run = {
      database,
      hold,
      set,
      mode: plan.mode,
      scan_id: plan.scan_id,
      actor,
      now,
      spending,
      verify_delays_ms: timing.verify_delays_ms,
      onStep: deps.onStep ?? (() => {}),
      confirmAlive: lease.confirm,
    };
    spending.sawHour(await countRecentWrites(database));
    // Of a plan whose approval expired only what was begun is ended.
    const expired = plan.expires_at <= now();
    const loop = { aws: deps.aws, budgets: deps.budgets, signal };
    stopped = await runActions(run, loop, expired ? actions.filter(({ state }) => state !== "planned") : actions);
    if (expired) stopped ??= "its approval expired";
  } catch (error) {
    stopped = `the run ended with an error: ${errorName(error)}`;
    passing = error instanceof LeaseLostError || isDatabaseDown(error);
    throw error;
  } finally {
    lease.stop();
    // When the database fails or the plan is no longer ours, the error that says so is already on its way.
    const answered = !passing && stopped !== INTERRUPTED;
    await releasePlan(database, hold, { stopped, answered }, now()).catch(() => {});
  }
  const { remaining } = countsOf(await countActions(database, hold.plan_id));
  return resultOf(database, hold.plan_id, remaining === 0 ? "applied" : "stopped", stopped);
}

/** Takes the plan, waiting for a run that may be dead until its lease is over. A run that shows life is not waited for. */
async function takeOver(
  { database, now, alone = false, asked_at, onWait }: ApplyDeps,
  hold: Hold,
  timing: ApplyTiming,
  signal: AbortSignal | undefined,
): Promise<"taken" | "applied" | Exclude<PlanRefusal, "already_applied">> {
  const { lease_ms, heartbeat_ms } = timing;
  const isAlive = (run_id: string) => (running.has(run_id) ? true : alone ? false : null);
  let seen: Date | null = null;
  for (;;) {
    const taken = await takePlan(database, hold, { lease_ms, isAlive, asked_at, now: now() });
    if (taken.outcome === "taken" || taken.outcome === "not_asked") return taken.outcome;
    if (taken.outcome === "closed") {
      if (taken.plan?.state === "applied") return "applied";
      return taken.plan === null ? "not_found" : taken.plan.state === "rejected" ? "rejected" : "not_approved";
    }
    const { run_id, heartbeat_at } = taken;
    if (running.has(run_id) || (seen !== null && heartbeat_at?.getTime() !== seen.getTime())) return "in_progress";
    if (seen === null) onWait?.(lease_ms);
    seen = heartbeat_at;
    await pause(Math.min(heartbeat_ms / 2, lease_ms / 2), signal);
  }
}

/** Says regularly that the run lives, and looks how much all runs changed; `confirm` makes sure of it, and throws when another run took the plan. */
function keepAlive(
  database: Database,
  hold: Hold,
  spending: Spending,
  { lease_ms, heartbeat_ms }: ApplyTiming,
): { confirm: () => Promise<void>; stop: () => void } {
  // Both clocks: the one stands still while a machine sleeps, the other may be set.
  const clocks = () => [performance.now(), Date.now()] as const;
  let last = clocks();
  const age = () => Math.max(...clocks().map((time, index) => time - (last[index] ?? 0)));
  let lost = false;
  const say = async () => {
    const sent = clocks();
    if (await beat(database, hold)) last = sent;
    else lost = true;
    spending.sawHour(await countRecentWrites(database));
  };
  // A beat that fails is made up for by the next, or by `confirm`, which fails itself.
  const timer = setInterval(() => void say().catch(() => {}), heartbeat_ms);
  return {
    confirm: async () => {
      if (!lost && age() > lease_ms / 2) await say();
      if (lost || age() > lease_ms) throw new LeaseLostError(`another run may hold plan ${hold.plan_id}`);
    },
    stop: () => clearInterval(timer),
  };
}

/** Why a plan cannot be applied as it is; null: it can. */
function refusalOf(loaded: { plan: PlanRow; actions: ActionRow[] } | null, now: Date): PlanRefusal | null {
  if (!loaded) return "not_found";
  const { plan, actions } = loaded;
  if (plan.state === "applied") return "already_applied";
  if (plan.state === "rejected") return "rejected";
  if (plan.state === "proposed") return plan.expires_at <= now ? "expired" : "not_approved";
  if (plan.approved_hash !== plan.hash || planHash(actions) !== plan.approved_hash) return "hash_differs";
  // What a run has begun is ended even when the approval has expired meanwhile; nothing else is.
  return plan.expires_at <= now && !actions.some(({ state }) => state === "intended") ? "expired" : null;
}

async function resultOf(
  database: Database,
  plan_id: string,
  outcome: "applied" | "nothing_to_do" | "stopped",
  stopped: string | null,
): Promise<ApplyResult> {
  const { counts, remaining } = countsOf(await countActions(database, plan_id));
  return { outcome, counts, remaining, stopped };
}
