import { log } from "../../log.ts";
import { wantedForRepair } from "../../policy/needs.ts";
import { Spending } from "../budget.ts";
import { addCounts, countsSince, NO_COUNTS, type RemediationCounts } from "../counts.ts";
import { warnInScan, whyPaused } from "../db/pauses.ts";
import { countRecentWrites } from "../db/recent-writes.ts";
import { loadPlannable } from "../load.ts";
import { type Draft, planChanges } from "../plan.ts";
import { approvePlan, countActions, createPlan, unfinishedAutoPlans } from "../store.ts";
import { type ApplyDeps, applyWithin } from "./apply.ts";

/** Who acts when nobody does. */
const ACTOR = "auto";

/**
 * Repairs after a scan, in the scan's targets and types, what policies with `remediation: auto` ask for and no rule protects;
 * first it ends what a run that died had begun. All within the budgets of one run; what they leave counts as blocked and is
 * planned anew after the next scan. Nothing to do: no plan is made. Throws when the database fails.
 */
export async function autoRemediate(
  deps: ApplyDeps,
  scan_id: string,
  signal?: AbortSignal,
): Promise<RemediationCounts> {
  const { database, set, now, budgets } = deps;
  const paused = await whyPaused(database);
  if (paused !== null) return leftByPause(deps, scan_id, paused);
  const spending = new Spending(budgets);
  spending.sawHour(await countRecentWrites(database));
  let counts = NO_COUNTS;
  for (const id of await unfinishedAutoPlans(database)) {
    if (signal?.aborted) return counts;
    const before = await countActions(database, id);
    const result = await applyWithin(deps, spending, id, ACTOR, signal);
    if (result.outcome === "refused") log.info({ plan_id: id, reason: result.reason }, "automatic plan not resumed");
    else counts = addCounts(counts, countsSince(before, await countActions(database, id)));
  }

  const draft = await draftFor(deps, scan_id);
  const { within, beyond } = cutToBudgets(draft, spending, now());
  const about = { mode: "auto", policy_set_id: set.id, scan_id, actor: ACTOR, now: now() } as const;
  const plan = await createPlan(database, { ...draft, actions: within }, about);
  const untried = beyond + (plan ? 0 : draft.blocked.length);
  counts = addCounts(counts, { ...NO_COUNTS, planned: untried, blocked: untried });
  if (beyond > 0)
    log.warn({ scan_id, beyond }, "automatic repair leaves what its budgets do not allow to the next scan");
  if (!plan) return counts;
  await approvePlan(database, plan.id, { hash: plan.hash, actor: ACTOR, now: now() });
  const result = await applyWithin(deps, spending, plan.id, ACTOR, signal);
  if (result.outcome === "refused") {
    // Another process repairs after a scan of its own, and took this plan as one to go on with: it counts there.
    log.info({ plan_id: plan.id, reason: result.reason }, "automatic plan left to another run");
    return counts;
  }
  if (result.stopped !== null) log.warn({ plan_id: plan.id, stopped: result.stopped }, "automatic repair stopped");
  if (result.stopped !== null) await warnInScan(database, scan_id, `Automatic repair stopped: ${result.stopped}`);
  return addCounts(counts, result.counts);
}

/** Says in the scan what its repair would have done; nothing is planned or written. */
async function leftByPause(deps: ApplyDeps, scan_id: string, paused: string): Promise<RemediationCounts> {
  const { actions, blocked } = await draftFor(deps, scan_id);
  const left = actions.length + blocked.length;
  if (actions.length > 0) {
    const resources = actions.length === 1 ? "1 resource" : `${actions.length} resources`;
    await warnInScan(deps.database, scan_id, `Automatic repair of ${resources} did not begin: ${paused}`);
  }
  return { ...NO_COUNTS, planned: left, blocked: left };
}

async function draftFor({ database, set, now }: ApplyDeps, scan_id: string): Promise<Draft> {
  // Without a policy that asks for it there is nothing to load.
  if (!set.policies.some(({ remediation }) => remediation === "auto")) return { actions: [], blocked: [], review: [] };
  return planChanges(set, loadPlannable(database, { scan_id }, wantedForRepair(set.needs)), {
    mode: "auto",
    now: now(),
  });
}

/** The actions that the budgets allow, in order; `beyond`: how many are left. */
function cutToBudgets(draft: Draft, spending: Spending, now: Date): { within: Draft["actions"]; beyond: number } {
  const allowance = spending.copy();
  const within = draft.actions.filter((action) => allowance.spend(action, now) === null);
  return { within, beyond: draft.actions.length - within.length };
}
