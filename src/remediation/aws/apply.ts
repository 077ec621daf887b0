import type { Database } from "../../db/client.ts";
import { uuidv7 } from "../../db/uuid.ts";
import { pause } from "../../inventory/aws/pause.ts";
import type { Aws, TargetApi } from "../../inventory/aws/session.ts";
import { errorName } from "../../inventory/call-error.ts";
import type { PolicySet } from "../../policy/load.ts";
import { type Budgets, Spending } from "../budget.ts";
import { countsOf, type RemediationCounts } from "../counts.ts";
import type { End } from "../decide.ts";
import { beat, endAction, type Hold, LeaseLostError, releasePlan, takePlan } from "../db/journal.ts";
import { whyPaused } from "../db/pauses.ts";
import { planHash } from "../plan.ts";
import { type ActionRow, countActions, loadPlan, type PlanRefusal, type PlanRow } from "../store.ts";
import { applyAction, type ApplyStep, type Run } from "./apply-action.ts";

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
  lease_ms: 10_000,
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

/** Targets under way at the same time; within one, actions follow each other. */
const TARGETS_AT_ONCE = 8;

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
  const lease = keepAlive(database, hold, timing);
  let stopped: string | null = null;
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
    const expired = plan.expires_at <= now();
    stopped = await runTargets(deps, run, workOf(actions, expired), signal);
    if (expired) stopped ??= "its approval expired";
  } catch (error) {
    stopped = `the run ended with an error: ${errorName(error)}`;
    throw error;
  } finally {
    lease.stop();
    // When the database fails or the plan is no longer ours, the error that says so is already on its way.
    await releasePlan(database, hold, stopped, now()).catch(() => {});
  }
  const { remaining } = countsOf(await countActions(database, hold.plan_id));
  return resultOf(database, hold.plan_id, remaining === 0 ? "applied" : "stopped", stopped);
}

/**
 * What a run may do: first what an earlier run had begun, then everything that waits; of a plan whose approval expired only
 * the former.
 */
function workOf(actions: readonly ActionRow[], expired: boolean): ActionRow[] {
  const begun = actions.filter(({ state }) => state === "intended");
  return expired ? begun : [...begun, ...actions.filter(({ state }) => state === "planned")];
}

/** Works on targets in parallel. Returns why something was left, null when nothing was. */
async function runTargets(
  deps: ApplyDeps,
  run: Run,
  actions: readonly ActionRow[],
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const targets = Map.groupBy(actions, ({ account_id, region }) => `${account_id}/${region}`).values();
  let stopped: string | null = null;
  let failure: { readonly cause: unknown } | null = null;
  const worker = async () => {
    for (const ofTarget of targets) {
      try {
        stopped = (await runTarget(deps, run, ofTarget, () => failure !== null, signal)) ?? stopped;
      } catch (cause) {
        failure ??= { cause };
      }
      if (failure) return;
    }
  };
  await Promise.all(Array.from({ length: TARGETS_AT_ONCE }, worker));
  // TypeScript does not see that the workers assign it.
  const seen = failure as { readonly cause: unknown } | null;
  if (seen) throw seen.cause;
  return stopped;
}

async function runTarget(
  { aws }: ApplyDeps,
  run: Run,
  actions: readonly ActionRow[],
  isFailing: () => boolean,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const [first] = actions;
  if (!first || signal?.aborted) return signal?.aborted ? "interrupted" : null;
  let api: TargetApi;
  try {
    api = await aws.target({ account_id: first.account_id, region: first.region }, "repair");
  } catch (error) {
    const note = `no way into ${first.account_id}/${first.region}: ${errorName(error)}`;
    for (const action of actions) await block(run, action, note);
    return null;
  }
  let left: string | null = null;
  for (const action of actions) {
    if (isFailing()) return left;
    const exhausted = run.spending.exhausted(action) ?? (await whyPaused(run.database));
    // What an earlier run had begun is looked at in any case.
    if (exhausted !== null && action.state !== "intended") return exhausted;
    if (signal?.aborted) return "interrupted";
    const result = await applyAction(run, api, action);
    if (result.state === "put_back") left = result.note;
    if (result.state === "open") left = result.note;
  }
  return left;
}

async function block({ database, hold, now, onStep }: Run, action: ActionRow, note: string): Promise<void> {
  // Begun by an earlier run: it stays open until someone can look.
  if (action.state === "intended") return;
  const end = { state: "blocked", note } as const;
  await database.transaction((transaction) =>
    endAction(transaction, hold, action.position, { ...end, tags_after: null, now: now() }),
  );
  await onStep("ended", action, end);
}

/** Takes the plan, waiting for a run that may be dead until its lease is over. A run that shows life is not waited for. */
async function takeOver(
  { database, now, alone = false, onWait }: ApplyDeps,
  hold: Hold,
  timing: ApplyTiming,
  signal: AbortSignal | undefined,
): Promise<"taken" | "applied" | Exclude<PlanRefusal, "already_applied">> {
  const { lease_ms, heartbeat_ms } = timing;
  const isAlive = (run_id: string) => (running.has(run_id) ? true : alone ? false : null);
  let seen: Date | null = null;
  for (;;) {
    const taken = await takePlan(database, hold, { lease_ms, isAlive, now: now() });
    if (taken.outcome === "taken") return "taken";
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

/** Says regularly that the run lives; `confirm` makes sure of it, and throws when another run took the plan. */
function keepAlive(
  database: Database,
  hold: Hold,
  { lease_ms, heartbeat_ms }: ApplyTiming,
): { confirm: () => Promise<void>; stop: () => void } {
  let last = performance.now();
  let lost = false;
  const say = async () => {
    const sent = performance.now();
    if (await beat(database, hold)) last = sent;
    else lost = true;
  };
  // A beat that fails is made up for by the next, or by `confirm`, which fails itself.
  const timer = setInterval(() => void say().catch(() => {}), heartbeat_ms);
  return {
    confirm: async () => {
      if (!lost && performance.now() - last > lease_ms / 2) await say();
      if (lost || performance.now() - last > lease_ms)
        throw new LeaseLostError(`another run may hold plan ${hold.plan_id}`);
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
