import { and, eq, inArray, isNotNull, sql } from "drizzle-orm";
import type { AuditDetail, AuditEntry } from "../../audit-log/entry.ts";
import { appendAudit } from "../../audit-log/store.ts";
import type { Database } from "../../db/client.ts";
import type { Tags } from "../../tags/tags.ts";
import type { End } from "../decide.ts";
import { LEASE_MS } from "../lease.ts";
import { plan_actions, plans } from "../schema.ts";
import { type ActionRow, countActions, type PlanRow } from "../store.ts";

/** A run's hold on a plan, and who runs it. */
export type Hold = { readonly plan_id: string; readonly run_id: string; readonly actor: string };

/** Another run holds the plan now: this one must not write any more. */
export class LeaseLostError extends Error {
  override name = "LeaseLostError";
}

/** Why a run stopped whose process was told to end. */
export const INTERRUPTED = "interrupted";

/** What came of trying to take a plan. `held`: by whom, and how long ago that run was last seen alive. `not_asked`: see `asked_at`. */
export type Taken =
  | { readonly outcome: "taken"; readonly plan: PlanRow }
  | { readonly outcome: "held"; readonly run_id: string; readonly heartbeat_at: Date | null }
  | { readonly outcome: "not_asked" }
  | { readonly outcome: "closed"; readonly plan: PlanRow | null };

/**
 * Takes an approved plan, or one whose run is dead: its heartbeat is older than the lease by the database's clock, unless
 * `isAlive` knows better; null: it does not know. Two takers never both succeed. `asked_at`: the request that is to be answered; once
 * a run has answered that, the plan is not taken.
 */
export async function takePlan(
  database: Database,
  hold: Hold,
  settings: { lease_ms: number; isAlive: (run_id: string) => boolean | null; asked_at?: Date | undefined; now: Date },
): Promise<Taken> {
  const { plan_id, run_id } = hold;
  return database.transaction(async (transaction): Promise<Taken> => {
    const [row] = await transaction
      .select({
        plan: plans,
        stale: sql<boolean>`coalesce(${plans.heartbeat_at} < clock_timestamp() - ${settings.lease_ms} * interval '1 millisecond', true)`,
      })
      .from(plans)
      .where(eq(plans.id, plan_id))
      .for("update");
    if (!row || (row.plan.state !== "approved" && row.plan.state !== "applying")) {
      return { outcome: "closed", plan: row?.plan ?? null };
    }
    const { asked_at } = settings;
    if (asked_at && row.plan.apply_requested_at?.getTime() !== asked_at.getTime()) return { outcome: "not_asked" };
    const holder = row.plan.run_id;
    if (holder !== null && (settings.isAlive(holder) ?? !row.stale)) {
      return { outcome: "held", run_id: holder, heartbeat_at: row.plan.heartbeat_at };
    }
    const [plan] = await transaction
      .update(plans)
      .set({
        state: "applying",
        run_id,
        heartbeat_at: sql`clock_timestamp()`,
        started_at: row.plan.started_at ?? settings.now,
        stopped: null,
      })
      .where(eq(plans.id, plan_id))
      .returning();
    const detail = { run_id, hash: row.plan.hash, mode: row.plan.mode, took_over_from: holder };
    const entry = {
      at: settings.now,
      actor: hold.actor,
      action: "plan.run_started",
      subject: plan_id,
      detail,
    } as const;
    await appendAudit(transaction, entry);
    return { outcome: "taken", plan: plan ?? row.plan };
  });
}

/** Whether a run that shows life holds a plan. */
export async function isRunAlive(database: Database, plan_id: string): Promise<boolean> {
  const alive = sql`${plans.heartbeat_at} > clock_timestamp() - ${LEASE_MS} * interval '1 millisecond'`;
  const held = and(eq(plans.id, plan_id), isNotNull(plans.run_id), alive);
  return (await database.$count(plans, held)) > 0;
}

/** Says that the run lives. False: another run took the plan. */
export async function beat(database: Database, { plan_id, run_id }: Hold): Promise<boolean> {
  const rows = await database
    .update(plans)
    .set({ heartbeat_at: sql`clock_timestamp()` })
    .where(and(eq(plans.id, plan_id), eq(plans.run_id, run_id)))
    .returning({ id: plans.id });
  return rows.length > 0;
}

/**
 * Lets go of a plan: `applied` when every action ended, else `approved`, to be applied again, with the reason why it stopped.
 * What an automatic plan has not begun is ended as blocked: the next scan plans it anew. `answered`: whoever asked for it has to ask
 * again; not so where the process was told to end, lost its hold or could not reach the database: then another run goes on by itself.
 */
export async function releasePlan(
  database: Database,
  hold: Hold,
  { stopped, answered }: { readonly stopped: string | null; readonly answered: boolean },
  now: Date,
): Promise<void> {
  await database.transaction(async (transaction) => {
    const { mode } = await confirmHold(transaction, hold, "update");
    if (mode === "auto") {
      await transaction
        .update(plan_actions)
        .set({ state: "blocked", note: `not begun: ${stopped ?? "the run ended"}`, finished_at: now })
        .where(and(eq(plan_actions.plan_id, hold.plan_id), eq(plan_actions.state, "planned")));
    }
    const counts = await countActions(transaction, hold.plan_id);
    const { planned, intended } = counts;
    const ended = planned + intended === 0;
    await transaction
      .update(plans)
      .set({
        state: ended ? "applied" : "approved",
        stopped,
        ...((ended || answered) && { apply_requested_at: null, apply_requested_by: null }),
        finished_at: ended ? now : null,
        run_id: null,
        heartbeat_at: null,
      })
      .where(eq(plans.id, hold.plan_id));
    const detail = { run_id: hold.run_id, state: ended ? "applied" : "approved", stopped, actions: counts };
    const entry = { at: now, actor: hold.actor, action: "plan.run_ended", subject: hold.plan_id, detail } as const;
    await appendAudit(transaction, entry);
  });
}

/** Commits that an action is about to be tried. Throws LeaseLostError. */
export async function intend(database: Database, hold: Hold, position: number, now: Date): Promise<void> {
  await update(database, hold, position, {
    state: "intended",
    intended_at: now,
    attempts: sql`${plan_actions.attempts} + 1`,
  });
}

/** Puts an action back to `planned`: nothing was written. Throws LeaseLostError. */
export async function putBack(database: Database, hold: Hold, position: number): Promise<void> {
  await update(database, hold, position, { state: "planned" });
}

/**
 * Commits that a write is about to be made and what the tags were before it; null: as an earlier run recorded them, which wrote a
 * part. Throws LeaseLostError.
 */
export async function recordBefore(
  database: Database,
  hold: Hold,
  action: ActionRow,
  tags: Tags | null,
  now: Date,
): Promise<void> {
  await database.transaction(async (transaction) => {
    await confirmHold(transaction, hold);
    await updateRow(transaction, hold, action.position, {
      ...(tags !== null && { tags_before: plain(tags) }),
      written_at: sql`clock_timestamp()`,
    });
    await appendAudit(transaction, writeEntry("began", hold, action, now, { resumed: tags === null }));
  });
}

/**
 * Takes back that a write was about to be made: none of its calls was sent. An action that an earlier run had begun stays
 * `intended`, another is planned as before. `action`: as it was before this run. Throws LeaseLostError.
 */
export async function withdrawWrite(
  database: Database,
  hold: Hold,
  action: ActionRow,
  note: string,
  now: Date,
): Promise<void> {
  const { state } = action;
  const change = state === "planned" ? { state, tags_before: null } : { note };
  await database.transaction(async (transaction) => {
    await confirmHold(transaction, hold);
    await updateRow(transaction, hold, action.position, change);
    await appendAudit(transaction, writeEntry("ended", hold, action, now, { state, note }));
  });
}

/**
 * What the audit log is told of a write: the resource and the keys, no values. One that began and did not end was left by its run;
 * the run that goes on with it begins it anew.
 */
export function writeEntry(
  what: "began" | "ended",
  { plan_id, run_id, actor }: Hold,
  { arn, position, changes }: ActionRow,
  at: Date,
  more: AuditDetail,
): AuditEntry {
  const keys = changes.map(({ key }) => key);
  return { at, actor, action: `write.${what}`, subject: arn, detail: { plan_id, run_id, position, keys, ...more } };
}

/** Leaves an action `intended`, with a note: the next run goes on with it. Throws LeaseLostError. */
export async function leaveOpen(database: Database, hold: Hold, position: number, note: string): Promise<void> {
  await update(database, hold, position, { note });
}

/** Records how an action ended; in the caller's transaction. Throws LeaseLostError. */
export async function endAction(
  transaction: Database,
  hold: Hold,
  position: number,
  end: End & { readonly tags_after: Tags | null; readonly now: Date },
): Promise<void> {
  const { state, note, tags_after, now } = end;
  await confirmHold(transaction, hold);
  await updateRow(transaction, hold, position, { state, note, tags_after: plain(tags_after), finished_at: now });
}

/** Drizzle asks every value for its prototype, and tags have none. */
function plain(tags: Tags | null): Record<string, string> | null {
  return tags && { ...tags };
}

type Change = Parameters<ReturnType<Database["update"]>["set"]>[0];

async function update(database: Database, hold: Hold, position: number, change: Change): Promise<void> {
  await database.transaction(async (transaction) => {
    await confirmHold(transaction, hold);
    await updateRow(transaction, hold, position, change);
  });
}

async function updateRow(database: Database, hold: Hold, position: number, change: Change): Promise<void> {
  const rows = await database
    .update(plan_actions)
    .set(change)
    .where(
      and(
        eq(plan_actions.plan_id, hold.plan_id),
        eq(plan_actions.position, position),
        inArray(plan_actions.state, ["planned", "intended"]),
      ),
    )
    .returning({ position: plan_actions.position });
  if (rows.length === 0)
    throw new LeaseLostError(`action ${position} of plan ${hold.plan_id} was ended by another run`);
}

/** Holds the plan's row for the transaction: no other run can take the plan before it commits. */
async function confirmHold(
  transaction: Database,
  { plan_id, run_id }: Hold,
  strength: "share" | "update" = "share",
): Promise<Pick<PlanRow, "mode">> {
  const [row] = await transaction
    .select({ mode: plans.mode })
    .from(plans)
    .where(and(eq(plans.id, plan_id), eq(plans.run_id, run_id)))
    .for(strength);
  if (!row) throw new LeaseLostError(`another run holds plan ${plan_id}`);
  return row;
}
