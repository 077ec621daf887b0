import type { Aws, TargetApi } from "../../inventory/aws/session.ts";
import { errorName } from "../../inventory/call-error.ts";
import type { Budgets } from "../budget.ts";
import { canarySize, canaryVerdict, splitCanary } from "../canary.ts";
import { endAction, INTERRUPTED } from "../db/journal.ts";
import { whyPaused } from "../db/pauses.ts";
import type { ActionRow } from "../store.ts";
import { type ActionResult, applyAction, type Run } from "./apply-action.ts";

/** Targets under way at the same time. */
const TARGETS_AT_ONCE = 8;

/** How actions are worked on. */
export type Loop = {
  readonly aws: Aws;
  readonly budgets: Budgets;
  /** Begins no further action, and lets those under way end. */
  readonly signal: AbortSignal | undefined;
};

/**
 * Applies the actions of a plan: what an earlier run had begun, then a few of the others to see whether they go well, then the
 * rest; targets beside each other, and actions beside each other within each. Returns why something was left, null when nothing was.
 * An error of the database ends it once the actions under way have ended.
 */
export async function runActions(run: Run, loop: Loop, actions: readonly ActionRow[]): Promise<string | null> {
  const begun = actions.filter(({ state }) => state === "intended");
  const waiting = actions.filter(({ state }) => state === "planned");
  // What failed, or could not be tried, shows nothing about the rest: others are tried in its place.
  const well = actions.filter(({ state }) => state === "verified" || state === "unchanged").length;
  const size = canarySize(begun.length + waiting.length + well, loop.budgets.canary) - well;
  const { first, rest } = splitCanary(waiting, size);
  let left: string | null = null;
  const runs = [
    { actions: begun, verdict: () => null },
    { actions: first, verdict: (failed: number) => canaryVerdict(first.length, failed, loop.budgets.error_share) },
    { actions: rest, verdict: () => null },
  ];
  for (const { actions: some, verdict } of runs) {
    const outcome = await runTargets(run, loop, some);
    left ??= outcome.open;
    const stopped = outcome.stopped ?? verdict(outcome.failed);
    if (stopped !== null) return stopped;
  }
  return left;
}

/** Why nothing further is begun; why an action could not be brought to its end, which holds up no other; and how many failed. */
type Outcome = { stopped: string | null; open: string | null; failed: number };

async function runTargets(run: Run, loop: Loop, actions: readonly ActionRow[]): Promise<Outcome> {
  const targets = Map.groupBy(actions, ({ account_id, region }) => `${account_id}/${region}`).values();
  const outcome: Outcome = { stopped: null, open: null, failed: 0 };
  const failing = new AbortController();
  await eachOf(TARGETS_AT_ONCE, targets, failing, async (ofTarget) => {
    const api = await enter(run, loop, ofTarget);
    if (typeof api === "string") outcome.stopped = api;
    else if (api !== null) await runTarget(run, loop, { api, actions: ofTarget, outcome, failing });
  });
  return outcome;
}

/** The way into a target. Text: why it was not tried. Null: there is none, and its actions are blocked. */
async function enter(
  run: Run,
  { aws, signal }: Loop,
  actions: readonly ActionRow[],
): Promise<TargetApi | string | null> {
  const [first] = actions;
  if (!first) return null;
  if (signal?.aborted) return INTERRUPTED;
  try {
    return await aws.target({ account_id: first.account_id, region: first.region }, "repair");
  } catch (error) {
    const note = `no way into ${first.account_id}/${first.region}: ${errorName(error)}`;
    for (const action of actions) await block(run, action, note);
    return null;
  }
}

async function runTarget(
  run: Run,
  { budgets, signal }: Loop,
  {
    api,
    actions,
    outcome,
    failing,
  }: { api: TargetApi; actions: readonly ActionRow[]; outcome: Outcome; failing: AbortController },
): Promise<void> {
  let over = false;
  await eachOf(budgets.actions_at_once, actions.values(), failing, async (action) => {
    if (over) return;
    const exhausted = run.spending.exhausted(action, run.now()) ?? (await whyPaused(run.database));
    // What an earlier run had begun is looked at in any case.
    const reason = exhausted !== null && action.state !== "intended" ? exhausted : signal?.aborted ? INTERRUPTED : null;
    if (reason !== null) {
      over = true;
      outcome.stopped = reason;
      return;
    }
    note(outcome, await applyAction(run, api, action));
  });
}

function note(outcome: Outcome, result: ActionResult): void {
  if (result.state === "put_back") outcome.stopped = result.note;
  if (result.state === "open") outcome.open = result.note;
  if (result.state === "failed" || result.state === "open") outcome.failed++;
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

/** Works through items, some at a time. After a failure nothing further is begun; it is thrown once all under way have ended. */
async function eachOf<Item>(
  at_once: number,
  items: Iterator<Item> & Iterable<Item>,
  failing: AbortController,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const worker = async () => {
    for (const item of items) {
      if (failing.signal.aborted) return;
      try {
        await work(item);
      } catch (cause) {
        failing.abort(cause);
      }
    }
  };
  await Promise.all(Array.from({ length: at_once }, worker));
  failing.signal.throwIfAborted();
}
