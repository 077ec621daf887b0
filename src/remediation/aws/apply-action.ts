import { appendAudit } from "../../audit-log/store.ts";
import type { Database } from "../../db/client.ts";
import { resolveRepaired } from "../../findings/db/repaired.ts";
import { pause } from "../../inventory/aws/pause.ts";
import { readServiceTags } from "../../inventory/aws/read-tags.ts";
import type { TargetApi } from "../../inventory/aws/session.ts";
import type { ReadError } from "../../inventory/resource.ts";
import { withFreshTags } from "../../inventory/surroundings.ts";
import type { PolicySet } from "../../policy/load.ts";
import { wantedForRepair } from "../../policy/needs.ts";
import { userTags, type Tags } from "../../tags/tags.ts";
import type { Spending } from "../budget.ts";
import { remainingChanges } from "../change-tags.ts";
import { decide, type End, endBeforeReading, isUndo, type Known, owesValue, type Write } from "../decide.ts";
import {
  endAction,
  type Hold,
  intend,
  leaveOpen,
  putBack,
  recordBefore,
  withdrawWrite,
  writeEntry,
} from "../db/journal.ts";
import { whyPaused } from "../db/pauses.ts";
import { loadKnown } from "../load.ts";
import type { PlanMode } from "../plan.ts";
import type { ActionRow } from "../store.ts";
import { writeTags } from "./write-tags.ts";

/**
 * Where an action is; told right after each has happened: `intended` committed, `read` the fresh tags, `writing` is about to
 * begin (what was before is committed), `between` two calls, `written` both sent, `checked` read back, `ended` recorded.
 */
export type ApplyStep = "intended" | "read" | "writing" | "between" | "written" | "checked" | "ended";

/** What a run works with while it applies actions. */
export type Run = {
  readonly database: Database;
  readonly hold: Hold;
  readonly set: PolicySet;
  readonly mode: PlanMode;
  /** The scan after which the plan was made; null when a person asked. */
  readonly scan_id: string | null;
  readonly actor: string;
  readonly now: () => Date;
  readonly spending: Spending;
  /** Waits before each reading back. The first is usually 0: most answers are right at once. */
  readonly verify_delays_ms: readonly number[];
  readonly onStep: (step: ApplyStep, action: ActionRow, end?: End) => void | Promise<void>;
  /** Makes sure that no other run took the plan. Throws LeaseLostError, or when the database fails. */
  readonly confirmAlive: () => Promise<void>;
};

/** Why a run stops that began with policies which are no longer the active ones. */
const RETIRED = "other policies were activated since it began";

/** Calls that undo a half-made rename at 50 tags; each follows a fresh reading. */
const OWED_ROUNDS = 3;

/** An action's end; or why it has none: `put_back` to be planned again, `open` for the next run to go on with. */
export type ActionResult = End | { readonly state: "put_back" | "open"; readonly note: string };

/**
 * Applies one action: still wanted? → intent committed → fresh reading → write → reading back → recorded, with its findings, in
 * one transaction. An AWS error is an end, never an exception. Throws when the database fails or the plan is no longer ours.
 */
export async function applyAction(run: Run, api: TargetApi, action: ActionRow): Promise<ActionResult> {
  const { database, hold, set, mode, now, onStep } = run;
  const judging = { set, mode, now: now() };
  const resumed = action.state === "intended" && action.tags_before !== null;
  const stored = await loadKnown(database, action, wantedForRepair(set.needs));
  const retired = stored.policy_set_id !== set.id;
  if (!resumed) {
    if (retired) return { state: "put_back", note: RETIRED };
    const end = endBeforeReading(action, stored, judging);
    if (end) return finish(run, action, end, null);
  }
  await intend(database, hold, action.position, now());
  await onStep("intended", action);

  const answer = await readServiceTags(api, action.arn, undefined, run.now);
  await onStep("read", action);
  if (answer.outcome === "gone") return finish(run, action, { state: "skipped", note: "the resource is gone" }, null);
  if (answer.outcome === "unknown") {
    run.spending.tried(true);
    const note = `its tags could not be read, nothing was written: ${describe(answer.error)}`;
    // What an earlier run left between two calls is not given up for a failed reading.
    if (resumed) return leave(run, action, note);
    return finish(run, action, { state: "failed", note }, null);
  }
  const above = await readAbove(run, api, action);
  if ("unread" in above) {
    run.spending.tried(true);
    // What an earlier run left is looked at again, unless nothing can come of that.
    const owed = owesValue(action.changes, remainingChanges(answer.tags, action.changes));
    return resumed && (owed || !above.gone)
      ? leave(run, action, above.unread)
      : finish(run, action, { state: "blocked", note: above.unread }, resumed ? answer : null);
  }
  const known = { ...stored, around: withFreshTags(stored.around, above) };
  const decision = decide(action, answer.tags, known, resumed, judging);
  if ("state" in decision) {
    run.spending.tried(false);
    return decision.state === "open" ? leave(run, action, decision.note) : finish(run, action, decision, answer);
  }
  const refusal = decision.owed
    ? run.spending.force(action)
    : retired
      ? RETIRED
      : ((await whyPaused(database)) ?? run.spending.spend(action, run.now()));
  if (refusal) {
    if (!resumed) await putBack(database, hold, action.position);
    return { state: "put_back", note: refusal };
  }
  const untouched = remainingChanges(answer.tags, action.changes).length === action.changes.length;
  const before = untouched || action.tags_before === null ? userTags(answer.tags) : null;
  await recordBefore(database, hold, action, before, now());
  return write(run, api, { ...action, tags_before: before ?? action.tags_before }, known, decision);
}

/**
 * Reads anew the tags of the other resources on which an action rests, by ARN. One that cannot be read, or is gone, blocks the
 * action: it may have had another value meanwhile.
 */
async function readAbove(
  run: Run,
  api: TargetApi,
  action: ActionRow,
): Promise<ReadonlyMap<string, Tags> | { readonly unread: string; readonly gone: boolean }> {
  const fresh = new Map<string, Tags>();
  for (const { arn } of action.reads_from) {
    if (fresh.has(arn)) continue;
    const answer = await readServiceTags(api, arn, undefined, run.now);
    if (answer.outcome === "gone") return { unread: `${arn}, on which the decision rests, is gone`, gone: true };
    if (answer.outcome === "unknown") {
      const unread = `${arn}, on which the decision rests, could not be read: ${describe(answer.error)}`;
      return { unread, gone: false };
    }
    fresh.set(arn, answer.tags);
  }
  return fresh;
}

/** Writes, reads back, and goes on where a call of two was lost but made; a value that is off the resource is put back on. */
async function write(run: Run, api: TargetApi, action: ActionRow, known: Known, first: Write): Promise<ActionResult> {
  const { onStep, spending, set, mode, now } = run;
  let next = first;
  for (let round = 1; ; round++) {
    await onStep("writing", action);
    await run.confirmAlive();
    const sent = await writeTags(api, action.arn, next, {
      // What was begun, or owes a value, is ended also while repairs are paused.
      withhold: async () => {
        // The wait for its turn may have been long: another run may hold the plan by now.
        await run.confirmAlive();
        return round > 1 || next.owed ? null : whyPaused(run.database);
      },
      between: async () => {
        await onStep("between", action);
        await run.confirmAlive();
      },
    });
    if (sent.outcome === "withheld") {
      await withdrawWrite(run.database, run.hold, action, sent.reason, now());
      return { state: "put_back", note: sent.reason };
    }
    await onStep("written", action);
    const refused = sent.outcome === "error" && sent.refused;
    const back = await readBack(run, api, action, refused);
    await onStep("checked", action);
    if (back.outcome === "as_planned") {
      spending.tried(false);
      return finish(run, action, { state: "verified", note: null }, back);
    }
    const why = sent.outcome === "error" ? describe(sent.error) : null;
    if (back.outcome === "read") {
      const decision = decide(action, back.tags, known, true, { set, mode, now: now() });
      const wanted = "state" in decision ? null : decision;
      const progress = wanted !== null && wanted.tag.length + wanted.untag.length < next.tag.length + next.untag.length;
      if (wanted !== null && sent.outcome === "error" && (wanted.owed || progress) && round <= OWED_ROUNDS) {
        next = wanted;
        await pause(run.verify_delays_ms[round] ?? 0, undefined);
        continue;
      }
    }
    spending.tried(true);
    return giveUp(run, action, next, back, why);
  }
}

/** The end of an action that is not as planned after all that could be done. */
async function giveUp(run: Run, action: ActionRow, last: Write, back: Back, why: string | null): Promise<ActionResult> {
  const suffix = why === null ? "" : `: ${why}`;
  if (back.outcome === "gone") return finish(run, action, { state: "skipped", note: "the resource is gone" }, null);
  if (back.outcome === "unknown") {
    const note = `written, but it could not be read back: ${describe(back.error)}${why === null ? "" : `, after ${why}`}`;
    return last.untag_first || last.owed
      ? leave(run, action, note)
      : finish(run, action, { state: "failed", note }, null);
  }
  const remaining = remainingChanges(back.tags, action.changes);
  if (owesValue(action.changes, remaining)) {
    const keys = remaining.map(({ key }) => key).join(", ");
    return leave(
      run,
      action,
      `a value is off the resource and not yet written to ${keys}; apply the plan again${suffix}`,
    );
  }
  const keys = remaining.map(({ key }) => key).join(", ");
  return finish(run, action, { state: "failed", note: `${keys} not as planned after the write${suffix}` }, back);
}

type Back =
  | { readonly outcome: "as_planned" | "read"; readonly tags: Tags; readonly read_at: Date }
  | { readonly outcome: "gone" }
  | { readonly outcome: "unknown"; readonly error: ReadError };

/** Reads until every planned key is as planned, with patience for an answer that lags; none where the write was refused. */
async function readBack(run: Run, api: TargetApi, action: ActionRow, refused: boolean): Promise<Back> {
  let last: Back | null = null;
  for (const delay of run.verify_delays_ms) {
    if (delay > 0) await pause(delay, undefined);
    const answer = await readServiceTags(api, action.arn, undefined, run.now);
    if (answer.outcome === "gone") return answer;
    if (answer.outcome === "unknown") {
      // A later failure does not unsay what was read, and one failure is no reason to stop looking.
      last ??= answer;
      continue;
    }
    if (remainingChanges(answer.tags, action.changes).length === 0) return { ...answer, outcome: "as_planned" };
    last = answer;
    if (refused) break;
  }
  if (last === null) throw new Error("verify_delays_ms is empty");
  return last;
}

/** Records an end; a verified or unchanged one together with the new tags and the findings that it resolves. */
async function finish(
  run: Run,
  action: ActionRow,
  end: End,
  fresh: { readonly tags: Tags; readonly read_at: Date } | null,
): Promise<End> {
  const { database, hold, set, actor, scan_id, now, onStep } = run;
  const { arn, position, reasons } = action;
  await database.transaction(async (transaction) => {
    const tags_after = fresh === null ? null : userTags(fresh.tags);
    await endAction(transaction, hold, position, { ...end, tags_after, now: now() });
    if (fresh !== null && (end.state === "verified" || end.state === "unchanged")) {
      // What someone else had done already is no merit of ours: those findings resolve as observed.
      const finding_ids = end.state === "verified" ? reasons.map(({ finding_id }) => finding_id) : [];
      const { tags, read_at } = fresh;
      const repaired = { arn, finding_ids, tags, read_at, actor, scan_id, undo: isUndo(action) };
      await resolveRepaired(transaction, set, repaired, now());
    }
    // Where nothing was written, by this run or one before, there is no write to end.
    if (action.tags_before !== null) await appendAudit(transaction, writeEntry("ended", hold, action, now(), end));
  });
  await onStep("ended", action, end);
  return end;
}

async function leave(run: Run, action: ActionRow, note: string): Promise<ActionResult> {
  await leaveOpen(run.database, run.hold, action.position, note);
  return { state: "open", note };
}

/** What AWS says of a value that it refuses has the value in it, which no note may hold. */
function describe({ operation, name, message }: ReadError): string {
  const quotes = /^(Validation|Invalid)/.test(name);
  return `${operation} ${name}${message && !quotes ? ` (${message})` : ""}`;
}
